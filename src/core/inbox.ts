import type { Command } from '../protocol/commands.js';
import { MAX_COMMANDS_IN_FLIGHT } from './limits.js';

/** A command that came in, with the text of its data. */
export interface Job {
  readonly command: Command;
  readonly dataText: string;
}

/** Lets the next command of the same lanes begin before this one is answered. */
export type Release = () => void;

interface Owner {
  /** Carries out a command. Answers for its own faults and never rejects. */
  run(job: Job, release: Release): Promise<void>;
  /** True where answers find room. */
  readonly hasRoom: boolean;
  /** The inbox has become full, or no longer is. */
  regulate(): void;
}

/**
 * The commands of one session that wait or are under way. They begin in the order they came in; those of one
 * channel take their turns, so that an unsubscribe finds its subscribe done and publishes keep their order.
 * Those of different channels don't wait for each other.
 */
export class Inbox {
  readonly #owner: Owner;
  readonly #waiting: Job[] = [];
  readonly #lanes = new Map<string, Promise<void>>();
  #inFlight = 0;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** True where the next command would have to wait. */
  get isFull(): boolean {
    return this.#inFlight >= MAX_COMMANDS_IN_FLIGHT;
  }

  add(job: Job): void {
    this.#waiting.push(job);
    this.pump();
  }

  /** Begins what may begin. */
  pump(): void {
    while (!this.isFull && this.#owner.hasRoom) {
      const job = this.#waiting.shift();
      if (job === undefined) break;
      void this.#begin(job);
    }
    this.#owner.regulate();
  }

  /** Forgets what has not begun. */
  clear(): void {
    this.#waiting.length = 0;
  }

  async #begin(job: Job): Promise<void> {
    this.#inFlight++;
    const lanes = lanesOf(job.command);
    const before = lanes.map((lane) => this.#lanes.get(lane)).filter((turn) => turn !== undefined);
    let release: Release = () => {};
    const turn = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const lane of lanes) this.#lanes.set(lane, turn);
    if (before.length > 0) await Promise.all(before);
    await this.#owner.run(job, release);
    release();
    for (const lane of lanes) if (this.#lanes.get(lane) === turn) this.#lanes.delete(lane);
    this.#inFlight--;
    this.pump();
  }
}

/** Answers that may be long are made one at a time, so that they can't pile up. */
function lanesOf(command: Command): string[] {
  if (command.type === 'history' || command.type === 'presence') return [command.channel, 'long answers'];
  return ['channel' in command ? command.channel : ''];
}
