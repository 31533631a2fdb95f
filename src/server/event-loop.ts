import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const NS = 1e9;

/** How late this process's event loop was, second by second. */
export class EventLoopMonitor {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #last = { p50: 0, p99: 0 };

  constructor() {
    this.#histogram.enable();
  }

  /** Of the last whole window, in seconds. */
  get delay(): { readonly p50: number; readonly p99: number } {
    return this.#last;
  }

  /** Ends a window. */
  sample(): void {
    this.#last = { p50: this.#late(50), p99: this.#late(99) };
    this.#histogram.reset();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** What is measured includes the time between two measurements. */
  #late(percentile: number): number {
    return Math.max(0, this.#histogram.percentile(percentile) / NS - RESOLUTION_MS / 1000);
  }
}
