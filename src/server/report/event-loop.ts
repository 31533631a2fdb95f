import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** How late this process's event loop was, second by second. */
export class EventLoopMonitor {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #beganAt = performance.now();
  #last = { p50: 0, p99: 0 };

  constructor() {
    this.#histogram.enable();
  }

  /** Of the last whole window, in seconds. */
  get delay(): { readonly p50: number; readonly p99: number } {
    return this.#last;
  }

  /** Ends a window, after all timers of this turn: the histogram's own is one of them. */
  sample(): void {
    setImmediate(() => {
      const now = performance.now();
      const p99Ms = Math.max(this.#lateMs(99), this.#unseenMs(now));
      this.#last = { p50: this.#lateMs(50) / 1000, p99: p99Ms / 1000 };
      this.#histogram.reset();
      this.#beganAt = now;
    });
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** What is measured includes the time between two measurements. */
  #lateMs(percentile: number): number {
    return Math.max(0, this.#histogram.percentile(percentile) / NS_PER_MS - RESOLUTION_MS);
  }

  /**
   * The part of the window that the histogram knows nothing of. It leaves out the first interval after a reset:
   * where every turn is longer than a window, that is all of them.
   */
  #unseenMs(now: number): number {
    const { count, mean } = this.#histogram;
    const seenMs = count === 0 ? 0 : (count * mean) / NS_PER_MS;
    return Math.max(0, now - this.#beganAt - seenMs - 2 * RESOLUTION_MS);
  }
}
