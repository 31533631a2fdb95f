import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CommandError } from '../../failure.js';
import type { HistoryEvent } from './events.js';
import { historyEvent } from './events.js';

const MAX_WAITING_CHARACTERS = 65_536;

/** A history as a file: a line of JSON each. What waits to be written is bounded. */
export class HistoryFile {
  readonly path: string;
  readonly #descriptor: number;
  #waiting = '';

  /** Throws a CommandError where there can't be such a file. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'w');
    } catch (error) {
      throw CommandError.wrong(`--history: ${path} can't be written (${codeOf(error)})`);
    }
  }

  readonly write = (event: HistoryEvent): void => {
    this.#waiting += `${JSON.stringify(event)}\n`;
    if (this.#waiting.length >= MAX_WAITING_CHARACTERS) this.flush();
  };

  /** What waits is written. */
  flush(): void {
    writeSync(this.#descriptor, this.#waiting);
    this.#waiting = '';
  }

  close(): void {
    this.flush();
    closeSync(this.#descriptor);
  }
}

/** A line of a history: the event, or what is wrong with it. */
export type Line = { readonly event: HistoryEvent } | { readonly fault: string };

/** The lines of a history, one after the other. Rejects with a CommandError where the file can't be read. */
export async function* linesOf(path: string): AsyncGenerator<Line> {
  const input = createReadStream(path, 'utf8');
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      yield parsed(text);
  } catch (error) {
    throw CommandError.wrong(`--history: ${path} can't be read (${codeOf(error)})`);
  } finally {
    input.destroy();
  }
}

/** An event as it was written. */
export function parsed(text: string): Line {
  try {
    const { data, error } = historyEvent.safeParse(JSON.parse(text));
    if (data !== undefined) return { event: data };
    const [issue] = error.issues;
    return { fault: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'no event'}` };
  } catch {
    return { fault: 'no line of JSON' };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
