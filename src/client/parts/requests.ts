import type { CommandType } from '../../protocol/commands.js';
import type { ErrorPush } from '../../protocol/pushes.js';
import type { Reply } from '../../protocol/replies.js';

export type Answer = Reply | ErrorPush;

/** A command without its id. */
export interface CommandFields {
  readonly type: CommandType;
  readonly [field: string]: unknown;
}

/** Gets the one answer to a command, or undefined where the connection was cut before it came. */
export type OnAnswer = (answer: Answer | undefined, id: number) => void;

/**
 * Numbers the commands and brings each answer to whoever asked. An id is never used twice, so the answers
 * of an earlier connection find nobody.
 */
export class Requests {
  readonly #send: (text: string) => void;
  #waiting = new Map<number, OnAnswer>();
  #lastId = 0;

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  /** Sends a command; `write` gives its text. For a connected client only. */
  send(write: (id: number) => string, onAnswer: OnAnswer): number {
    const id = ++this.#lastId;
    this.#waiting.set(id, onAnswer);
    this.#send(write(id));
    return id;
  }

  /** Sends a command that is an object. */
  ask(command: CommandFields, onAnswer: OnAnswer): number {
    return this.send(writer(command), onAnswer);
  }

  answered(id: number, answer: Answer): void {
    const onAnswer = this.#waiting.get(id);
    this.#waiting.delete(id);
    onAnswer?.(answer, id);
  }

  dropped(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [id, onAnswer] of waiting) onAnswer(undefined, id);
  }
}

/** Writes a command that is an object; what is undefined in it is left out. */
export function writer(command: CommandFields): (id: number) => string {
  return (id) => JSON.stringify({ ...command, id });
}
