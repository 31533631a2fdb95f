/** What two seconds bring may come at once, where no burst is set. */
const BURST_SECONDS = 2;

/** A token bucket: `burst` at once, `perSecond` in the long run. Holds two numbers, no timer. */
export class RateLimit {
  #tokens: number;
  #filledAt: number;

  constructor(burst: number, now: number) {
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** What may be taken at once. */
  get left(): number {
    return this.#tokens;
  }

  /** Takes so much, if there is so much. What is more than a whole burst may be taken from a full one. */
  take(now: number, perSecond: number, burst: number, amount = 1): boolean {
    const grown = (Math.max(0, now - this.#filledAt) / 1000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + grown);
    this.#filledAt = now;
    if (this.#tokens < Math.min(amount, burst)) return false;
    this.#tokens -= amount;
    return true;
  }
}

/** The burst of a rate that has none of its own; at least one may always come. */
export function burstOf(perSecond: number): number {
  return Math.max(1, perSecond * BURST_SECONDS);
}
