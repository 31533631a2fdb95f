import { isSameType } from '../../protocol/media.js';
import type { Start } from '../../protocol/offset.js';
import { formatOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { BEGINNING, NOW } from '../../protocol/version.js';
import type { MessageData, NewMessage, StoredMessage } from '../message.js';
import type { ChannelStat, Page, ReadBound, Tail } from '../store.js';
import type { Entries } from './entries.js';
import { Epochs } from './epochs.js';
import type { LogState } from './log-state.js';
import type { Producers } from './producers.js';
import type { Keeping } from './retention.js';
import { keptFrom } from './retention.js';
import type { Totals } from './totals.js';
import { OVERHEAD_BYTES } from './totals.js';

export interface LogParts {
  readonly state: LogState;
  readonly entries: Entries;
  readonly producers: Producers;
  readonly keeping: Keeping;
  readonly totals: Totals;
}

/** One channel's log: a queue that is cut at its old end, and the producers that write to it. */
export class Log {
  readonly state: LogState;
  readonly epochs: Epochs;
  readonly entries: Entries;
  readonly producers: Producers;
  readonly #keeping: Keeping;
  readonly #totals: Totals;

  constructor({ state, entries, producers, keeping, totals }: LogParts) {
    this.state = state;
    this.epochs = new Epochs(state.epoch, state.stretches);
    this.entries = entries;
    this.producers = producers;
    this.#keeping = keeping;
    this.#totals = totals;
  }

  get tail(): Tail {
    const { epoch, tailSeq, closed } = this.state;
    return { epoch, seq: tailSeq, closed };
  }

  get isEmpty(): boolean {
    return this.state.startSeq === this.state.tailSeq;
  }

  /** The offset of the position after the `seq`-th message. */
  offsetAt(seq: number): string {
    return formatOffset(this.epochs.at(seq), seq);
  }

  isOfType(contentType: string): boolean {
    return isSameType(contentType, this.state.contentType);
  }

  /** True where nobody has used it for as long as its lifetime allows, or its end has come. */
  isOver(now: number, isWatched: boolean): boolean {
    const { ttlSeconds, expiresAt } = this.state.lifetime;
    if (expiresAt !== undefined && now >= expiresAt) return true;
    return ttlSeconds !== undefined && !isWatched && now - this.state.usedAt >= ttlSeconds * 1000;
  }

  stat(now: number): ChannelStat {
    this.trim(now);
    const { contentType, lifetime, epoch, startSeq, startBytes, tailSeq, tailBytes, lastAt } = this.state;
    return {
      contentType,
      lifetime,
      start: { epoch, seq: startSeq },
      tail: this.tail,
      offset: this.offsetAt(tailSeq),
      messages: tailSeq - startSeq,
      bytes: tailBytes - startBytes,
      lastAt: this.isEmpty ? undefined : lastAt,
    };
  }

  /** All or none: throws `unavailable` where the store is full of what may not be cut. */
  append(messages: readonly NewMessage[], now: number): StoredMessage[] {
    this.#checkRoom(messages);
    const stored = messages.map((message) => this.#store(message, now));
    this.state.usedAt = now;
    this.trim(now);
    return stored;
  }

  read(start: Start, bound: ReadBound, now: number): Page {
    this.trim(now);
    const { startSeq, tailSeq } = this.state;
    if (start === NOW) return this.#page([], tailSeq, undefined);
    if (start === BEGINNING) return this.#pageAfter(startSeq, bound, undefined);
    const lostAfter = this.epochs.lostAfter(start);
    if (lostAfter !== undefined) return this.#pageAfter(Math.max(startSeq, lostAfter), bound, 'reset');
    if (!this.epochs.has(start, tailSeq))
      throw new Refused('bad_offset', 'that offset is none of this channel');
    if (start.seq < startSeq) return this.#pageAfter(startSeq, bound, 'retention');
    return this.#pageAfter(start.seq, bound, undefined);
  }

  /** Lets go of what retention no longer keeps, and of more where the store is full. True where there was some. */
  trim(now: number): boolean {
    const from = keptFrom(this.state, this.entries, this.#keeping, this.#totals, now);
    if (from === this.state.startSeq) return false;
    this.#cut(from);
    return true;
  }

  /** Lets go of everything. */
  clear(): void {
    this.#cut(this.state.tailSeq);
  }

  /** As the first thing in its life: what another log has after `fromSeq`, up to `toSeq`, and a part of what follows. */
  inherit(source: Log, fromSeq: number, toSeq: number, part: NewMessage | undefined, now: number): void {
    const { state } = this;
    state.startSeq = state.tailSeq = fromSeq;
    state.startBytes = state.tailBytes = source.#bytesAt(fromSeq);
    const bytes = source.#bytesAt(toSeq) - state.startBytes;
    const added = part === undefined ? 0 : costOf(part);
    const needed = bytes + (toSeq - fromSeq) * OVERHEAD_BYTES + added;
    if (this.#totals.usedBytes + needed > this.#keeping.maxStoreBytes) throw full();
    this.entries.adopt(source.entries, fromSeq, toSeq);
    if (toSeq > fromSeq) state.lastAt = this.entries.mark(toSeq).at;
    state.tailSeq = toSeq;
    state.tailBytes += bytes;
    this.#totals.usedBytes += needed - added;
    if (part !== undefined) this.#store(part, now);
  }

  #store(message: NewMessage, now: number): StoredMessage {
    const { state } = this;
    const seq = ++state.tailSeq;
    state.lastAt = Math.max(now, state.lastAt); // a clock that is set back does not make a log younger at its old end
    const stored = {
      seq,
      offset: formatOffset(state.epoch, seq),
      from: message.from,
      at: state.lastAt,
      data: detached(message.data),
      ...(message.meta !== undefined && { meta: detachedText(message.meta) }),
    };
    this.entries.push(stored, state.tailBytes);
    state.tailBytes += sizeOf(stored);
    this.#totals.usedBytes += costOf(stored);
    return stored;
  }

  #cut(from: number): void {
    const { state } = this;
    const bytes = this.#bytesAt(from);
    this.#totals.usedBytes -= bytes - state.startBytes + (from - state.startSeq) * OVERHEAD_BYTES;
    state.startSeq = from;
    state.startBytes = bytes;
    this.entries.drop(from);
  }

  /** How many bytes it had been given up to the `seq`-th message. */
  #bytesAt(seq: number): number {
    const { startSeq, startBytes, tailSeq, tailBytes } = this.state;
    if (seq === startSeq) return startBytes;
    return seq === tailSeq ? tailBytes : this.entries.mark(seq + 1).bytesBefore;
  }

  #checkRoom(messages: readonly NewMessage[]): void {
    const needed = messages.reduce((sum, message) => sum + costOf(message), 0);
    const { startSeq, startBytes, tailSeq, tailBytes } = this.state;
    const own = tailBytes - startBytes + (tailSeq - startSeq) * OVERHEAD_BYTES;
    const others = this.#totals.usedBytes - (this.#keeping.whole ? 0 : own);
    if (others + needed > this.#keeping.maxStoreBytes) throw full();
  }

  #pageAfter(seq: number, bound: ReadBound, lost: Page['lost']): Page {
    const messages: StoredMessage[] = [];
    let bytes = 0;
    if (seq < this.state.tailSeq) {
      for (const message of this.entries.after(seq)) {
        bytes += sizeOf(message);
        if (bytes > bound.bytes && messages.length > 0) break;
        messages.push(message);
        if (messages.length >= bound.messages) break;
      }
    }
    return this.#page(messages, seq + messages.length, lost);
  }

  #page(messages: StoredMessage[], seq: number, lost: Page['lost']): Page {
    return {
      messages,
      startOffset: this.offsetAt(seq - messages.length),
      epoch: this.state.epoch,
      seq,
      offset: this.offsetAt(seq),
      lost,
      upToDate: seq === this.state.tailSeq,
      closed: this.state.closed,
    };
  }
}

function full(): Refused {
  return new Refused('unavailable', 'the store is full');
}

/** What was cut out of something larger keeps that whole other thing alive: a small message would hold its frame. */
function detached(data: MessageData): MessageData {
  return typeof data === 'string' ? detachedText(data) : Uint8Array.from(data);
}

function detachedText(text: string): string {
  return Buffer.from(text).toString();
}

/** What a message counts for: its data, for a text as UTF-8 has it at most times. */
function sizeOf(message: NewMessage): number {
  return message.data.length + message.from.length + (message.meta?.length ?? 0);
}

function costOf(message: NewMessage): number {
  return sizeOf(message) + OVERHEAD_BYTES;
}
