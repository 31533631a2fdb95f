import type { IncomingMessage, ServerResponse } from 'node:http';
import { eventText } from '../../transport/http/event.js';
import { whenCut } from '../http/cut.js';
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
  hold(request: IncomingMessage, response: ServerResponse, first: string, silentMs: number): void {
    if (isGone(response)) return; // the peer has left meanwhile
    const finish = () => void response.end(eventText({ event: 'end', data: '{}' }));
    const timer = setTimeout(finish, silentMs);
    const gone = () => {
      clearTimeout(timer);
      this.#last.delete(response);
    };
    response.once('close', gone);
    whenCut(request, response, gone);
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
