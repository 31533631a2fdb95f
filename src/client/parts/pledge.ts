import { EarshotError } from '../errors.js';
import type { CallOptions, Clock } from '../options.js';

/** What a timer of the platform can hold; a longer time is no bound. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A promise that is settled from outside, by its timeout or by its signal, whichever comes first. */
export class Pledge<T> {
  readonly promise: Promise<T>;
  settled = false;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #onGiveUp: () => void;
  #fulfil: (value: T) => void = () => {};
  #refuse: (error: EarshotError) => void = () => {};
  #timer: unknown;

  /** `onGiveUp` is called when the timeout or the signal comes first; not for a signal that has aborted already. */
  constructor(clock: Clock, { signal, timeoutMs = Infinity }: CallOptions, onGiveUp: () => void = () => {}) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onGiveUp = onGiveUp;
    this.promise = new Promise((fulfil, refuse) => {
      this.#fulfil = fulfil;
      this.#refuse = refuse;
    });
    signal?.addEventListener('abort', this.#giveUp);
    if (signal?.aborted) this.#abort();
    else if (timeoutMs <= MAX_TIMER_MS)
      this.#timer = clock.setTimer(() => this.#timeOut(timeoutMs), timeoutMs);
  }

  resolve(value: T): void {
    if (this.#settle()) this.#fulfil(value);
  }

  reject(error: EarshotError): void {
    if (this.#settle()) this.#refuse(error);
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#signal?.removeEventListener('abort', this.#giveUp);
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    return true;
  }

  #abort(): void {
    const cause: unknown = this.#signal?.reason;
    this.reject(new EarshotError('aborted', 'given up by its signal', 'never', { cause }));
  }

  readonly #giveUp = () => {
    this.#abort();
    this.#onGiveUp();
  };

  #timeOut(timeoutMs: number): void {
    this.reject(new EarshotError('timeout', `no answer within ${timeoutMs} ms`, 'retry'));
    this.#onGiveUp();
  }
}
