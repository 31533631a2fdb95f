import { RateLimit } from './rate.js';

const MAX_CALLERS = 10_000;

/** The rates of callers that have no session: by who they are, forgotten when there are too many of them. */
export class Rates {
  readonly #rates = new Map<string, RateLimit>();

  /** True where one more command of this caller is within its rate. */
  take(caller: string, now: number, perSecond: number, burst: number): boolean {
    const rate = this.#rates.get(caller) ?? new RateLimit(burst, now);
    this.#rates.delete(caller); // to stand last: who has been silent longest goes first
    this.#rates.set(caller, rate);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > MAX_CALLERS && oldest !== undefined) this.#rates.delete(oldest);
    return rate.take(now, perSecond, burst);
  }
}
