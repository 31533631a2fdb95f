import type { HistoryEvent, Unstamped } from './events.js';
import { labelOf } from './events.js';

/** Everything that was sent and received in a run, in the order that it was seen. Keeps only counts of it. */
export class History {
  readonly #write: (event: HistoryEvent) => void;
  readonly #nowMs: () => number;
  readonly #counts = new Map<string, number>();
  readonly #events = new Map<string, number>();
  #atUs = -1;

  /** `nowMs` never goes back; `write` takes each event at once. */
  constructor(write: (event: HistoryEvent) => void, nowMs: () => number) {
    this.#write = write;
    this.#nowMs = nowMs;
  }

  note(by: string, event: Unstamped): void {
    const label = labelOf(event);
    const n = this.#events.get(by) ?? 0;
    this.#stamp(by, n, event);
    this.#events.set(by, n + 1);
    this.#counts.set(label, this.count(label) + 1);
  }

  /** The last word. */
  end(by: string): void {
    this.#stamp(by, this.#events.get(by) ?? 0, {
      kind: 'end',
      counts: Object.fromEntries(this.#counts),
      events: Object.fromEntries(this.#events),
    });
  }

  /** How many events of this label there are. */
  count(label: string): number {
    return this.#counts.get(label) ?? 0;
  }

  /** How many events there are of labels that begin so. */
  countOf(beginning: string): number {
    return [...this.#counts].reduce(
      (sum, [label, count]) => (label.startsWith(beginning) ? sum + count : sum),
      0,
    );
  }

  #stamp(by: string, n: number, event: Unstamped): void {
    this.#atUs = Math.max(this.#atUs + 1, Math.round(this.#nowMs() * 1000));
    // an event without its stamp, and the stamp: TypeScript doesn't see that of a union
    this.#write({ atUs: this.#atUs, by, n, ...event } as HistoryEvent);
  }
}
