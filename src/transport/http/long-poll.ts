import type { Transport } from '../../core/carrier.js';
import type { HttpResponse } from './response-carrier.js';
import { ResponseCarrier } from './response-carrier.js';

/** What a reader that waits for one answer gets. */
export interface Gathered<Printed> {
  readonly items: readonly Printed[];
  /** True where nothing follows them yet. */
  readonly upToDate: boolean;
  /** Why nothing more comes: a code of the table of errors, `done`, or undefined where there was enough, or no more time. */
  readonly reason: string | undefined;
}

export interface LongPollOptions<Printed> {
  /** False: what is there is the answer, be it nothing. */
  readonly waits: boolean;
  /** Bytes of what is gathered. */
  readonly sizeOf: (printed: Printed) => number;
  /** How many of the things that it holds an answer has at most, and bytes: with these it is given at once. */
  readonly maxBytes: number;
  readonly maxCount: number;
  readonly countOf: (printed: Printed) => number;
}

/** A request that is answered once: with what is there, else as soon as anything is. */
export class LongPoll<Printed> extends ResponseCarrier<Printed> {
  readonly transport: Transport;
  /** Resolves once. Not at all where the peer has left before. */
  readonly gathered: Promise<Gathered<Printed>>;
  readonly #options: LongPollOptions<Printed>;
  readonly #items: Printed[] = [];
  #bytes = 0;
  #count = 0;
  #isSettled = false;
  #isAnswered = false;
  #resolve: (gathered: Gathered<Printed>) => void = () => {};

  constructor(response: HttpResponse, options: LongPollOptions<Printed>) {
    super(response);
    this.transport = options.waits ? 'long-poll' : 'poll';
    this.#options = options;
    this.gathered = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get queuedBytes(): number {
    if (this.#isAnswered) return this.response.writableLength;
    return this.#isFull ? Number.MAX_SAFE_INTEGER : this.#bytes;
  }

  /** Whatever it is, it leaves with the answer. */
  get sentBytes(): number {
    return this.#isAnswered ? Math.max(0, this.#bytes - this.response.writableLength) : 0; // the head is queued too
  }

  write(printed: Printed): void {
    if (this.#isAnswered) return;
    this.#items.push(printed);
    this.#bytes += this.#options.sizeOf(printed);
    this.#count += this.#options.countOf(printed);
    if (this.#isSettled || this.#isFull) this.#answerSoon();
  }

  settled(): void {
    this.#isSettled = true;
    if (this.#items.length > 0 || !this.#options.waits) this.#answerSoon();
  }

  timeUp(): void {
    this.#answer(undefined);
  }

  ping(): void {}

  close(_code: number, reason: string): void {
    this.#answer(reason);
  }

  get #isFull(): boolean {
    return this.#bytes >= this.#options.maxBytes || this.#count >= this.#options.maxCount;
  }

  /** With all that this turn of the event loop brings. */
  #answerSoon(): void {
    setImmediate(() => this.#answer(undefined));
  }

  #answer(reason: string | undefined): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    const upToDate = (this.#isSettled && !this.#isFull) || reason === 'done'; // what found no room follows
    this.#resolve({ items: this.#items, upToDate, reason });
  }
}
