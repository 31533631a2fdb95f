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

  /** Takes one, if there is one. */
  take(now: number, perSecond: number, burst: number): boolean {
    const grown = (Math.max(0, now - this.#filledAt) / 1000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + grown);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
