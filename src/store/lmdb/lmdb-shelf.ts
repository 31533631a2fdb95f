import { formatOffset } from '../../protocol/offset.js';
import { Epochs } from '../log/epochs.js';
import { Log } from '../log/log.js';
import type { LogState } from '../log/log-state.js';
import { tornState } from '../log/log-state.js';
import { Producers } from '../log/producers.js';
import type { Keeping } from '../log/retention.js';
import type { Shelf } from '../log/shelf.js';
import type { Environment, LogRecord, StoredTotals } from './environment.js';
import { LmdbEntries } from './lmdb-entries.js';
import { LmdbProducers } from './lmdb-producers.js';

/** A log that was looked up or made, and how it stands in the file. */
interface Slot {
  readonly id: number;
  readonly cutSeq: number;
  readonly log: Log;
  readonly entries: LmdbEntries;
  readonly producers: LmdbProducers;
  /** Undefined for one that isn't in the file yet. */
  readonly before: LogState | undefined;
}

export interface ShelfParts {
  readonly tables: Environment;
  readonly totals: StoredTotals;
  keeping(channel: string, whole: boolean): Keeping;
  /** When a channel was last read, where that is later than the file has it. */
  usedAt(channel: string): number;
}

/**
 * The logs in the file, as they are with what is done to them here; `write` writes that down, within a transaction.
 * One that isn't written is as if it had never been.
 */
export class LmdbShelf implements Shelf {
  readonly totals: StoredTotals;
  readonly #parts: ShelfParts;
  /** By channel; undefined where it is known that there is none. */
  readonly #slots = new Map<string, Slot | undefined>();
  readonly #made = new Map<Log, Slot>();
  /** What stood in the file, or was to stand there, and is no more. */
  readonly #discarded: Slot[] = [];

  constructor(parts: ShelfParts) {
    this.#parts = parts;
    this.totals = { ...parts.totals };
  }

  get(channel: string): Log | undefined {
    return this.#slot(channel)?.log;
  }

  make(channel: string, state: LogState): Log {
    const slot = this.#open(channel, { id: ++this.totals.lastId, cutSeq: 0, state }, undefined);
    this.#made.set(slot.log, slot);
    return slot.log;
  }

  set(channel: string, log: Log): void {
    const slot = this.#made.get(log);
    if (slot === undefined) throw new Error('a log that this shelf has not made');
    const before = this.#slot(channel);
    if (before === undefined) this.totals.channels++;
    else this.#discarded.push(before);
    this.#slots.set(channel, slot);
  }

  delete(channel: string): void {
    const slot = this.#slot(channel);
    if (slot === undefined) return;
    this.totals.channels--;
    this.#discarded.push(slot);
    this.#slots.set(channel, undefined);
  }

  *blank(): Iterable<string> {
    for (const channel of this.#parts.tables.blank.getKeys()) if (!this.#slots.has(channel)) yield channel;
    for (const channel of this.#slots.keys()) yield channel;
  }

  names(after: string, limit: number, isMeant: (channel: string, log: Log) => boolean): string[] {
    const names: string[] = [];
    if (limit === 0) return names;
    for (const channel of this.#parts.tables.channels.getKeys({ start: after })) {
      const isKnown = this.#slots.has(channel);
      const log = channel === after ? undefined : this.get(channel);
      if (!isKnown) this.#slots.delete(channel); // many are looked at
      if (log === undefined || !isMeant(channel, log)) continue;
      if (names.push(channel) === limit) break;
    }
    return names;
  }

  write(): void {
    const { tables, totals } = this.#parts;
    const changed = [...this.#slots].filter(([, slot]) => slot === undefined || hasChanged(slot));
    for (const [, slot] of changed) slot?.entries.writeCopies(slot.log.state.startSeq);
    for (const [channel, slot] of changed) {
      if (slot === undefined) this.#remove(channel);
      else this.#put(channel, slot);
    }
    for (const { id, cutSeq, log, before } of this.#discarded)
      if (before !== undefined) tables.leftovers.put(id, { cutSeq, tailSeq: log.state.tailSeq });
    if (hasNew(this.totals, totals)) tables.totals.put('totals', this.totals);
  }

  #put(channel: string, { id, cutSeq, log, entries, producers, before }: Slot): void {
    const { tables } = this.#parts;
    const { state } = log;
    const isNew = before === undefined; // then nothing stands before its beginning
    const record: LogRecord = {
      id,
      cutSeq: entries.write(state.startSeq, isNew ? state.startSeq : cutSeq),
      state,
    };
    producers.write();
    tables.channels.put(channel, record);
    if (state.blank) tables.blank.put(channel, true);
    else if (before?.blank !== false) tables.blank.remove(channel);
  }

  #remove(channel: string): void {
    this.#parts.tables.channels.remove(channel);
    this.#parts.tables.blank.remove(channel);
  }

  #slot(channel: string): Slot | undefined {
    if (this.#slots.has(channel)) return this.#slots.get(channel);
    const record = this.#parts.tables.channels.get(channel);
    const state = record && this.#whole(record.state);
    const slot = record && state && this.#open(channel, { ...record, state }, { ...state });
    this.#slots.set(channel, slot);
    return slot;
  }

  /** As it goes on, where its end may have been lost. */
  #whole(state: LogState): LogState {
    const { tear } = this.totals;
    return tear === undefined || state.tear === tear ? state : tornState(state, tear);
  }

  #open(channel: string, { id, cutSeq, state }: LogRecord, before: LogState | undefined): Slot {
    const { tables, keeping, usedAt } = this.#parts;
    state.usedAt = Math.max(state.usedAt, usedAt(channel));
    const epochs = new Epochs(state.epoch, state.stretches);
    const offsetAt = (seq: number): string => formatOffset(epochs.at(seq), seq);
    const entries = new LmdbEntries(tables, id, state.tailSeq, offsetAt);
    const producers = new LmdbProducers(tables, id);
    const log = new Log({
      state,
      entries,
      producers: new Producers(producers, state),
      keeping: keeping(channel, state.whole),
      totals: this.totals,
    });
    return { id, cutSeq, log, entries, producers, before };
  }
}

/** In anything, or where there is more to take out of the file. */
function hasChanged({ log: { state }, before, cutSeq }: Slot): boolean {
  return before === undefined || cutSeq < state.startSeq || hasNew(state, before);
}

function hasNew<Fields extends object>(now: Fields, before: Fields): boolean {
  for (const key in now) if (now[key] !== before[key]) return true;
  return false;
}
