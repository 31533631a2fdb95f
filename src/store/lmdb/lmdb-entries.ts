import type { Entries, Mark } from '../log/entries.js';
import type { StoredMessage } from '../message.js';
import type { EntryRecord } from './entry-record.js';
import { messageOf, recordOf } from './entry-record.js';
import type { Environment } from './environment.js';

/** Messages in the file, up to and with the `toSeq`-th of a log. */
interface Range {
  readonly id: number;
  readonly toSeq: number;
}

interface Pending {
  readonly message: StoredMessage;
  readonly bytesBefore: number;
}

/** What of a log that is let go of may leave the file with one commit, besides as much again as came with it. */
const REMOVED_AT_ONCE = 100;

/** The messages of one log: those in the file, and those that are to be written with this commit. */
export class LmdbEntries implements Entries {
  readonly #tables: Environment;
  readonly #id: number;
  readonly #offsetAt: (seq: number) => string;
  /** In order. Those of other logs are to be copied with this commit. */
  #ranges: readonly Range[];
  readonly #pending: Pending[] = [];

  constructor(tables: Environment, id: number, tailSeq: number, offsetAt: (seq: number) => string) {
    this.#tables = tables;
    this.#id = id;
    this.#ranges = [{ id, toSeq: tailSeq }];
    this.#offsetAt = offsetAt;
  }

  push(message: StoredMessage, bytesBefore: number): void {
    this.#pending.push({ message, bytesBefore });
  }

  mark(seq: number): Mark {
    const pending = this.#pending[seq - this.#firstPendingSeq];
    if (pending !== undefined) return { at: pending.message.at, bytesBefore: pending.bytesBefore };
    const id = this.#ranges.find(({ toSeq }) => seq <= toSeq)?.id;
    const record = id === undefined ? undefined : this.#tables.messages.get([id, seq]);
    if (record === undefined) throw missing(this.#id, seq);
    const [, at, bytesBefore] = record;
    return { at, bytesBefore };
  }

  *after(seq: number): Iterable<StoredMessage> {
    let next = seq + 1;
    for (const range of this.#ranges) {
      for (const [found, record] of this.#recordsOf(range, next)) {
        if (found !== next) throw missing(this.#id, next);
        yield messageOf(record, next, this.#offsetAt(next));
        next++;
      }
    }
    for (const { message } of this.#pending) if (message.seq >= next) yield message;
  }

  /** It leaves the file little by little: see `write`. */
  drop(): void {}

  adopt(source: Entries, _fromSeq: number, toSeq: number): void {
    if (!(source instanceof LmdbEntries)) throw new Error('a fork has its source in the same file');
    this.#ranges = source.#ranges.map((range) => ({ ...range, toSeq: Math.min(range.toSeq, toSeq) }));
    for (const pending of source.#pending) if (pending.message.seq <= toSeq) this.#pending.push(pending);
  }

  /** What this log takes over from others: before any of them lets go of it. */
  writeCopies(startSeq: number): void {
    let next = startSeq + 1;
    for (const range of this.#ranges) {
      if (range.id !== this.#id)
        for (const [seq, record] of this.#recordsOf(range, next))
          this.#tables.messages.put([this.#id, seq], record);
      next = Math.max(next, range.toSeq + 1);
    }
  }

  /** Writes what is new and kept; gives the position up to which nothing is in the file any more. */
  write(startSeq: number, cutSeq: number): number {
    for (const { message, bytesBefore } of this.#pending)
      if (message.seq > startSeq)
        this.#tables.messages.put([this.#id, message.seq], recordOf(message, bytesBefore));
    const last = Math.min(startSeq, cutSeq + REMOVED_AT_ONCE + this.#pending.length * 2);
    for (let seq = cutSeq + 1; seq <= last; seq++) this.#tables.messages.remove([this.#id, seq]);
    return last;
  }

  get #firstPendingSeq(): number {
    return this.#pending[0]?.message.seq ?? Number.POSITIVE_INFINITY;
  }

  *#recordsOf({ id, toSeq }: Range, fromSeq: number): Iterable<readonly [number, EntryRecord]> {
    if (fromSeq > toSeq) return;
    const found = this.#tables.messages.getRange({ start: [id, fromSeq], end: [id, toSeq + 1] });
    for (const { key, value } of found) yield [key[1], value];
  }
}

function missing(id: number, seq: number): Error {
  return new Error(`the data folder is damaged: message ${seq} of log ${id} is not there`);
}
