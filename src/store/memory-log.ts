import { mediaTypeOf } from '../protocol/media.js';
import type { Start } from '../protocol/offset.js';
import { formatOffset } from '../protocol/offset.js';
import { Refused } from '../protocol/refused.js';
import { BEGINNING, NOW } from '../protocol/version.js';
import type { Lifetime } from './creation.js';
import { Epochs } from './epochs.js';
import type { Inheritance } from './inheritance.js';
import type { MessageData, NewMessage, StoredMessage } from './message.js';
import { Producers } from './producers.js';
import type { ChannelStat, Page, ReadBound, Retention, Tail } from './store.js';

/** What a message costs besides its data, about. */
const OVERHEAD_BYTES = 200;

/** What all logs of a store hold together. */
export interface Budget {
  usedBytes: number;
  readonly maxBytes: number;
}

/** How a log is kept. */
export interface Keeping {
  readonly retention: Retention;
  /** True: it is never cut to make room for others. */
  readonly whole: boolean;
}

/** What a channel is made as, and what it was asked to be a fork of. */
export interface Config {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly inherited?: Inheritance | undefined;
}

/** One channel's log in memory: a queue that is cut at its old end, and the producers that write to it. */
export class MemoryLog {
  readonly epochs: Epochs;
  readonly config: Config;
  readonly producers = new Producers();
  closed = false;
  /** Made by somebody's word: it stays until it is deleted. */
  stays = false;
  /** When it was last read or appended to. */
  usedAt: number;
  /** Of the last append that had one. */
  lastOrder: string | undefined;
  /** Channels that began with what this one has. */
  forks = 0;
  /** Deleted, and only remembered because of its forks. */
  gone = false;
  #messages: StoredMessage[] = [];
  /** Where in the array the oldest kept message stands; what is before it is cut off in batches. */
  #head = 0;
  #tailSeq = 0;
  #bytes = 0;
  readonly #keeping: Keeping;
  readonly #budget: Budget;

  constructor(epoch: string, config: Config, keeping: Keeping, budget: Budget, now: number) {
    this.epochs = new Epochs(epoch, config.inherited?.stretches);
    this.config = config;
    this.#keeping = keeping;
    this.#budget = budget;
    this.usedAt = now;
    if (config.inherited !== undefined) this.#inherit(config.inherited, now);
  }

  get tail(): Tail {
    return { epoch: this.epochs.own, seq: this.#tailSeq, closed: this.closed };
  }

  /** What there is, and the position before it. */
  kept(now: number): { readonly startSeq: number; readonly messages: readonly StoredMessage[] } {
    this.trim(now);
    return { startSeq: this.#startSeq, messages: this.#messages.slice(this.#head) };
  }

  get isEmpty(): boolean {
    return this.#head === this.#messages.length;
  }

  /** The offset of the position after the `seq`-th message. */
  offsetAt(seq: number): string {
    return formatOffset(this.epochs.at(seq), seq);
  }

  isOfType(contentType: string): boolean {
    return mediaTypeOf(contentType) === mediaTypeOf(this.config.contentType);
  }

  /** True where nobody has used it for as long as its lifetime allows, or its end has come. */
  isOver(now: number, isWatched: boolean): boolean {
    const { ttlSeconds, expiresAt } = this.config.lifetime;
    if (expiresAt !== undefined && now >= expiresAt) return true;
    return ttlSeconds !== undefined && !isWatched && now - this.usedAt >= ttlSeconds * 1000;
  }

  stat(now: number): ChannelStat {
    this.trim(now);
    const { contentType, lifetime } = this.config;
    return {
      contentType,
      lifetime,
      start: { epoch: this.epochs.own, seq: this.#startSeq },
      tail: this.tail,
      offset: this.offsetAt(this.#tailSeq),
      messages: this.#messages.length - this.#head,
      bytes: this.#bytes,
      lastAt: this.isEmpty ? undefined : this.#messages.at(-1)?.at,
    };
  }

  /** All or none: throws `unavailable` where the store is full of what may not be cut. */
  append(messages: readonly NewMessage[], now: number): StoredMessage[] {
    this.#checkRoom(messages);
    const stored = messages.map((message) => this.#store(message, now));
    this.usedAt = now;
    this.trim(now);
    return stored;
  }

  read(start: Start, bound: ReadBound, now: number): Page {
    this.usedAt = now;
    this.trim(now);
    if (start === NOW) return this.#page([], this.#tailSeq, undefined);
    if (start === BEGINNING) return this.#pageAfter(this.#startSeq, bound, undefined);
    if (!this.epochs.knows(start.epoch)) return this.#pageAfter(this.#startSeq, bound, 'reset');
    if (!this.epochs.has(start, this.#tailSeq))
      throw new Refused('bad_offset', 'that offset is none of this channel');
    if (start.seq < this.#startSeq) return this.#pageAfter(this.#startSeq, bound, 'retention');
    return this.#pageAfter(start.seq, bound, undefined);
  }

  /** Lets go of what retention no longer keeps, and of more where the store is full. */
  trim(now: number): void {
    for (let oldest = this.#messages[this.#head]; oldest !== undefined; oldest = this.#messages[this.#head]) {
      if (this.#isKept(oldest, now)) break;
      this.#count(-sizeOf(oldest), -1);
      this.#head++;
    }
    if (this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Gives back what it holds of the store's budget. */
  clear(): void {
    this.#count(-this.#bytes, this.#head - this.#messages.length);
    this.#messages = [];
    this.#head = 0;
  }

  #store(message: NewMessage, now: number): StoredMessage {
    const seq = ++this.#tailSeq;
    const stored = {
      seq,
      offset: formatOffset(this.epochs.own, seq),
      from: message.from,
      at: now,
      data: detached(message.data),
      ...(message.meta !== undefined && { meta: detachedText(message.meta) }),
    };
    this.#messages.push(stored);
    this.#count(sizeOf(stored), 1);
    return stored;
  }

  #inherit({ messages, startSeq, part }: Inheritance, now: number): void {
    const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0);
    const needed = bytes + messages.length * OVERHEAD_BYTES + (part ? sizeOf(part) + OVERHEAD_BYTES : 0);
    if (this.#budget.usedBytes + needed > this.#budget.maxBytes) throw full();
    this.#messages = [...messages];
    this.#tailSeq = startSeq + messages.length;
    this.#count(bytes, messages.length);
    if (part !== undefined) this.#store(part, now);
  }

  #isKept(oldest: StoredMessage, now: number): boolean {
    const { retention, whole } = this.#keeping;
    const count = this.#messages.length - this.#head;
    if (count > retention.messages || this.#bytes > retention.bytes || oldest.at < now - retention.ageMs)
      return false;
    return whole || count === 1 || this.#budget.usedBytes <= this.#budget.maxBytes;
  }

  #checkRoom(messages: readonly NewMessage[]): void {
    const size = messages.reduce((sum, message) => sum + sizeOf(message) + OVERHEAD_BYTES, 0);
    const own = this.#bytes + (this.#messages.length - this.#head) * OVERHEAD_BYTES;
    const others = this.#keeping.whole ? this.#budget.usedBytes : this.#budget.usedBytes - own;
    if (others + size > this.#budget.maxBytes) throw full();
  }

  #count(bytes: number, messages: number): void {
    this.#bytes += bytes;
    this.#budget.usedBytes += bytes + messages * OVERHEAD_BYTES;
  }

  /** The position before the oldest kept message. */
  get #startSeq(): number {
    return this.#tailSeq - (this.#messages.length - this.#head);
  }

  #pageAfter(seq: number, bound: ReadBound, lost: Page['lost']): Page {
    const messages: StoredMessage[] = [];
    let bytes = 0;
    let at = this.#head + (seq - this.#startSeq);
    for (; messages.length < bound.messages; at++) {
      const message = this.#messages[at];
      if (message === undefined) break;
      bytes += sizeOf(message);
      if (bytes > bound.bytes && messages.length > 0) break;
      messages.push(message);
    }
    return this.#page(messages, seq + messages.length, lost);
  }

  #page(messages: StoredMessage[], seq: number, lost: Page['lost']): Page {
    return {
      messages,
      epoch: this.epochs.own,
      seq,
      offset: this.offsetAt(seq),
      lost,
      upToDate: seq === this.#tailSeq,
      closed: this.closed,
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
