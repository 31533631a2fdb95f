import type { ServerResponse } from 'node:http';
import { isGone } from '../http/response.js';

/** How many there may be at once. */
const MAX_HELD = 100;

/** Streams of events that are silent for a while before they end. They end at once when the server does. */
export class HeldAnswers {
  readonly #last = new Map<ServerResponse, () => void>();
  #ended = false;

  /** Of this moment. */
  get count(): number {
    return this.#last.size;
  }

  /** No more can be held. */
  get full(): boolean {
    return this.count >= MAX_HELD;
  }

  /** Sends `first` now, and after `silentMs` the last event and the end. */
  hold(response: ServerResponse, first: string, silentMs: number): void {
    if (isGone(response)) return; // the peer has left meanwhile
    const finish = () => void response.end(eventText('end', {}));
    const timer = setTimeout(finish, silentMs);
    response.once('close', () => {
      clearTimeout(timer);
      this.#last.delete(response);
    });
    response.on('error', () => {}); // the peer is gone: 'close' follows
    this.#last.set(response, finish);
    response.write(first);
    if (this.#ended) finish();
  }

  /** Ends them all, and whatever comes later. */
  end(): void {
    this.#ended = true;
    for (const finish of this.#last.values()) finish();
  }
}

/** One Server-Sent Event. JSON has no line break of its own, so the data is one line. */
export function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
