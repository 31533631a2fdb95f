/** One timer, for the earliest of the times that it was asked for. */
export class Alarm {
  readonly #uptimeMs: () => number;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = 0;

  constructor(uptimeMs: () => number, wake: () => void) {
    this.#uptimeMs = uptimeMs;
    this.#wake = wake;
  }

  /** Wakes at this time, unless it does before. */
  ring(atMs: number): void {
    if (this.#timer !== undefined && this.#atMs <= atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, atMs - this.#uptimeMs())).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ring(): void {
    this.#timer = undefined;
    this.#wake();
  }
}
