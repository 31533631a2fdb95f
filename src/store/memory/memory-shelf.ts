import { firstAfter } from '../first-after.js';
import { Log } from '../log/log.js';
import type { LogState } from '../log/log-state.js';
import { Producers } from '../log/producers.js';
import type { Keeping } from '../log/retention.js';
import type { Shelf } from '../log/shelf.js';
import type { Totals } from '../log/totals.js';
import { MemoryEntries, MemoryProducers } from './memory-entries.js';

/** Logs in a map. */
export class MemoryShelf implements Shelf {
  readonly totals: Totals = { usedBytes: 0, channels: 0, lastEpochAt: 0 };
  readonly #logs = new Map<string, Log>();
  /** Of those that never had a message, and of some that have had one since. */
  readonly #blank = new Set<string>();
  readonly #keeping: (channel: string, whole: boolean) => Keeping;

  constructor(keeping: (channel: string, whole: boolean) => Keeping) {
    this.#keeping = keeping;
  }

  get(channel: string): Log | undefined {
    return this.#logs.get(channel);
  }

  make(channel: string, state: LogState): Log {
    return new Log({
      state,
      entries: new MemoryEntries(),
      producers: new Producers(new MemoryProducers(), state),
      keeping: this.#keeping(channel, state.whole),
      totals: this.totals,
    });
  }

  set(channel: string, log: Log): void {
    this.#logs.set(channel, log);
    if (log.state.blank) this.#blank.add(channel);
    this.totals.channels = this.#logs.size;
  }

  delete(channel: string): void {
    this.#logs.delete(channel);
    this.#blank.delete(channel);
    this.totals.channels = this.#logs.size;
  }

  *blank(): Iterable<string> {
    for (const channel of this.#blank) {
      if (this.#logs.get(channel)?.state.blank === true) yield channel;
      else this.#blank.delete(channel);
    }
  }

  names(after: string, limit: number, isMeant: (channel: string, log: Log) => boolean): string[] {
    return firstAfter(this.#meant(isMeant), after, limit);
  }

  all(): IterableIterator<[string, Log]> {
    return this.#logs.entries();
  }

  clear(): void {
    this.#logs.clear();
    this.#blank.clear();
  }

  *#meant(isMeant: (channel: string, log: Log) => boolean): Iterable<string> {
    for (const [channel, log] of this.#logs) if (isMeant(channel, log)) yield channel;
  }
}
