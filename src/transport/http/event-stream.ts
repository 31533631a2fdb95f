import { HEARTBEAT } from './event.js';
import type { HttpResponse } from './response-carrier.js';
import { ResponseCarrier } from './response-carrier.js';

/** How a response begins and ends. */
export interface EventStreamOptions {
  /** Writes the head of the response: from here on it is a stream of events. */
  readonly begin: () => void;
  /** Until a response that has ended, and that the peer doesn't take, is cut. */
  readonly closeTimeoutMs: number;
}

/** A response that goes on for as long as there is something to come: Server-Sent Events. */
export abstract class EventStream<Printed> extends ResponseCarrier<Printed> {
  readonly transport = 'sse';
  /** Resolves with undefined once it has begun, or with the reason where it ended before. */
  readonly begun: Promise<string | undefined>;
  readonly #options: EventStreamOptions;
  #state: 'waiting' | 'open' | 'ended' = 'waiting';
  #writtenBytes = 0;
  #resolve: (reason: string | undefined) => void = () => {};

  constructor(response: HttpResponse, options: EventStreamOptions) {
    super(response);
    this.#options = options;
    this.begun = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get queuedBytes(): number {
    return this.#state === 'waiting' ? 0 : this.response.writableLength;
  }

  get sentBytes(): number {
    return Math.max(0, this.#writtenBytes - this.queuedBytes); // the head is queued too, and not counted
  }

  timeUp(): void {
    this.#end();
  }

  ping(): void {
    if (this.#state === 'open') this.send(HEARTBEAT);
  }

  close(_code: number, reason: string): void {
    if (this.#state === 'waiting') {
      this.#state = 'ended';
      this.#resolve(reason);
      return;
    }
    this.#end();
    const timer = setTimeout(() => this.response.destroy(), this.#options.closeTimeoutMs).unref();
    this.response.once('close', () => clearTimeout(timer));
  }

  /** Writes events; the first ones begin the response. */
  protected send(text: string | Uint8Array): void {
    if (this.#state === 'waiting') this.#begin();
    if (this.#state !== 'open') return;
    this.#writtenBytes += text.length;
    this.response.write(text);
  }

  #begin(): void {
    this.#state = 'open';
    this.#options.begin();
    this.#resolve(undefined);
  }

  #end(): void {
    if (this.#state === 'open') this.response.end();
    this.#state = 'ended';
  }
}
