import type { EventOf, HistoryEvent } from '../history/events.js';
import { labelOf } from '../history/events.js';
import type { Findings } from './findings.js';

/** Is the history whole: does it begin and end, does time go on, is nobody's event missing? */
export class Form {
  readonly #findings: Findings;
  readonly #counts = new Map<string, number>();
  readonly #events = new Map<string, number>();
  #lastUs = -1;
  #lines = 0;
  #hasEnded = false;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  take(event: HistoryEvent, line: number): void {
    if (this.#hasEnded) this.#findings.fault(line, 'something follows the end');
    if ((line === 1) !== (event.kind === 'begin'))
      this.#findings.fault(line, 'it begins with "begin", and only once');
    if (event.atUs <= this.#lastUs) this.#findings.fault(line, 'time goes back');
    const n = this.#events.get(event.by) ?? 0;
    if (event.n !== n) this.#findings.fault(line, `event ${n} of ${event.by} is missing, here is ${event.n}`);
    this.#lastUs = event.atUs;
    this.#lines = line;
    if (event.kind === 'end') this.#end(event, line);
    else this.#count(event, n + 1);
  }

  finish(): void {
    if (!this.#hasEnded) this.#findings.fault(this.#lines + 1, 'it has no end: it was cut off');
  }

  #count(event: HistoryEvent, events: number): void {
    const label = labelOf(event);
    this.#events.set(event.by, events);
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
  }

  #end({ counts, events }: EventOf<'end'>, line: number): void {
    this.#hasEnded = true;
    this.#compare(counts, this.#counts, line);
    this.#compare(events, this.#events, line);
  }

  #compare(told: Readonly<Record<string, number>>, found: ReadonlyMap<string, number>, line: number): void {
    for (const name of new Set([...Object.keys(told), ...found.keys()])) {
      if (told[name] !== found.get(name))
        this.#findings.fault(
          line,
          `there were ${told[name] ?? 0} of ${name}, here are ${found.get(name) ?? 0}`,
        );
    }
  }
}
