import type { ProducerState, ProducerStates } from '../log/producers.js';
import type { Environment } from './environment.js';

/** The producers of one log: those in the file, and what is to be written of them with this commit. */
export class LmdbProducers implements ProducerStates {
  readonly #tables: Environment;
  readonly #id: number;
  /** Undefined for one that is forgotten. */
  readonly #changed = new Map<string, ProducerState | undefined>();

  constructor(tables: Environment, id: number) {
    this.#tables = tables;
    this.#id = id;
  }

  get(id: string): ProducerState | undefined {
    return this.#changed.has(id) ? this.#changed.get(id) : this.#tables.producers.get([this.#id, id]);
  }

  set(id: string, state: ProducerState): void {
    this.#changed.set(id, state);
  }

  delete(id: string): void {
    this.#changed.set(id, undefined);
  }

  *all(): Iterable<readonly [string, ProducerState]> {
    for (const { key, value } of this.#tables.producers.getRange(producersOf(this.#id)))
      if (!this.#changed.has(key[1])) yield [key[1], value];
    for (const [id, state] of this.#changed) if (state !== undefined) yield [id, state];
  }

  write(): void {
    for (const [id, state] of this.#changed) {
      if (state === undefined) this.#tables.producers.remove([this.#id, id]);
      else this.#tables.producers.put([this.#id, id], state);
    }
  }
}

/** The keys of the producers of a log. */
export function producersOf(id: number): { start: [number, string]; end: [number, string] } {
  return { start: [id, ''], end: [id + 1, ''] };
}
