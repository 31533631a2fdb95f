import { AggregatorRegistry } from 'prom-client';
import type { Line, MetricValues, OfPrimary, OfWorker } from './line.js';

type WorkerLine = Line<OfPrimary, OfWorker>;
type Values = readonly MetricValues[];

/** One that takes longer is shown as it was. */
const ANSWERS_WITHIN_MS = 1000;

/** The metrics of all workers together. What those have counted that are gone stays: a total never goes back. */
export class Scrapes {
  readonly #last = new Map<WorkerLine, Values>();
  readonly #waiting = new Map<WorkerLine, (values: Values) => void>();
  readonly #lines = new Set<WorkerLine>();
  /** Of those that are gone. */
  #gone: Values[] = [];
  #underWay: Promise<string> | undefined;

  /** Gives the way to leave. */
  join(line: WorkerLine): () => void {
    this.#lines.add(line);
    line.hear('metrics', (values) => {
      this.#last.set(line, values);
      this.#waiting.get(line)?.(values);
    });
    line.hear('scrape', (id) => void this.#scrape().then((text) => line.tell('scraped', { id, text })));
    return () => this.#leave(line);
  }

  #leave(line: WorkerLine): void {
    const values = this.#last.get(line) ?? [];
    this.#lines.delete(line);
    this.#last.delete(line);
    this.#waiting.get(line)?.([]);
    this.#gone.push(values.filter(({ type }) => isOfType(type, 'counter') || isOfType(type, 'histogram')));
  }

  /** Who asks while another one waits gets the same. */
  #scrape(): Promise<string> {
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #ask(): Promise<string> {
    await Promise.all([...this.#lines].map((line) => this.#answer(line)));
    const gone = this.#gone;
    this.#gone = [];
    const together = await aggregate(gone).getMetricsAsJSON();
    this.#gone.push(together);
    return aggregate([...this.#last.values(), together]).metrics();
  }

  /** Until it has answered, has gone, or has taken too long. */
  #answer(line: WorkerLine): Promise<void> {
    return new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(line);
        resolve();
      };
      const timer = setTimeout(done, ANSWERS_WITHIN_MS);
      this.#waiting.set(line, done);
      line.tell('count', undefined);
    });
  }
}

function aggregate(values: readonly Values[]) {
  return AggregatorRegistry.aggregate([...values]);
}

/** Where they come from its JSON, types are told by name. */
function isOfType(type: unknown, name: string): boolean {
  return String(type) === name;
}
