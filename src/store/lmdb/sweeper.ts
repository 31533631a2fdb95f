import type { Channels } from '../log/channels.js';
import type { Environment, Leftover } from './environment.js';
import { producersOf } from './lmdb-producers.js';
import type { LmdbShelf } from './lmdb-shelf.js';

/** Of each sweep, at most. */
const CHANNELS_AT_ONCE = 500;
const REMOVED_AT_ONCE = 5000;

/** Upkeep, a stretch at a time: notes which channels were read, lets go of what is over, and clears away. */
export class Sweeper {
  readonly #tables: Environment;
  readonly #usedAt: Map<string, number>;
  /** The last channel that was looked at. */
  #after = '';

  constructor(tables: Environment, usedAt: Map<string, number>) {
    this.#tables = tables;
    this.#usedAt = usedAt;
  }

  /** Gives what is to be done once this is written. */
  sweep(channels: Channels, shelf: LmdbShelf): () => void {
    const noted = [...this.#usedAt].slice(0, CHANNELS_AT_ONCE);
    for (const [channel] of noted) shelf.get(channel); // which takes the time over
    const after = this.#sweepChannels(channels, shelf);
    this.#clearAway();
    return () => {
      this.#after = after;
      for (const [channel, at] of noted) if (this.#usedAt.get(channel) === at) this.#usedAt.delete(channel);
    };
  }

  #sweepChannels(channels: Channels, shelf: LmdbShelf): string {
    const start = this.#after;
    const names = [...this.#tables.channels.getKeys({ start, limit: CHANNELS_AT_ONCE + 1 })];
    for (const name of names) {
      const log = name === start ? undefined : shelf.get(name);
      if (log !== undefined) channels.sweep(name, log);
    }
    return names.length > CHANNELS_AT_ONCE ? (names.at(-1) ?? '') : '';
  }

  /** What logs that are no more have left. */
  #clearAway(): void {
    let left = REMOVED_AT_ONCE;
    for (const { key, value } of this.#tables.leftovers.getRange()) {
      if (left <= 0) return;
      left -= this.#clearLog(key, value, left);
    }
  }

  #clearLog(id: number, { cutSeq, tailSeq }: Leftover, limit: number): number {
    const last = Math.min(tailSeq, cutSeq + limit);
    for (let seq = cutSeq + 1; seq <= last; seq++) this.#tables.messages.remove([id, seq]);
    const producers = [...this.#tables.producers.getKeys({ ...producersOf(id), limit })];
    for (const key of producers) this.#tables.producers.remove(key);
    if (last === tailSeq && producers.length < limit) this.#tables.leftovers.remove(id);
    else this.#tables.leftovers.put(id, { cutSeq: last, tailSeq });
    return last - cutSeq + producers.length;
  }
}
