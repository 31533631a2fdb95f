import { RateLimit } from './rate.js';

const MAX_CALLERS = 10_000;

/** Rates by name, of whoever comes and goes: who has been silent longest is forgotten when there are too many. */
export class Rates {
  readonly #rates = new Map<string, RateLimit>();

  /** True where one more of this name would be within its rate. Nothing is taken. */
  allows(name: string, now: number, perSecond: number, burst: number): boolean {
    const rate = this.#rates.get(name);
    rate?.take(now, perSecond, burst, 0);
    return rate === undefined || rate.left >= 1;
  }

  /** True where so many more of this name are within its rate, and then they are taken. */
  take(name: string, now: number, perSecond: number, burst: number, count = 1): boolean {
    const rate = this.#rates.get(name) ?? new RateLimit(burst, now);
    this.#rates.delete(name); // to stand last: who has been silent longest goes first
    this.#rates.set(name, rate);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > MAX_CALLERS && oldest !== undefined) this.#rates.delete(oldest);
    return rate.take(now, perSecond, burst, count);
  }
}
