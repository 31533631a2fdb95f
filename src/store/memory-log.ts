import type { Start } from '../protocol/offset.js';
import { formatOffset } from '../protocol/offset.js';
import { Refused } from '../protocol/refused.js';
import { BEGINNING, NOW } from '../protocol/version.js';
import { Producers } from './producers.js';
import type { ChannelStat, NewMessage, Page, ReadBound, Retention, StoredMessage, Tail } from './store.js';

/** What a message costs besides its text, about. */
const OVERHEAD_BYTES = 200;

/** What all logs of a store hold together. */
export interface Budget {
  usedBytes: number;
  readonly maxBytes: number;
}

/** One channel's log in memory: a queue that is cut at its old end, and the producers that write to it. */
export class MemoryLog {
  readonly epoch: string;
  readonly producers = new Producers();
  closed = false;
  /** Made by somebody's word: it stays until it is deleted. */
  kept = false;
  /** When it was last read or appended to. */
  usedAt: number;
  #messages: StoredMessage[] = [];
  /** Where in the array the oldest kept message stands; what is before it is cut off in batches. */
  #head = 0;
  #tailSeq = 0;
  #bytes = 0;
  readonly #retention: Retention;
  readonly #budget: Budget;

  constructor(epoch: string, retention: Retention, budget: Budget, now: number) {
    this.epoch = epoch;
    this.#retention = retention;
    this.#budget = budget;
    this.usedAt = now;
  }

  get tail(): Tail {
    return { epoch: this.epoch, seq: this.#tailSeq, closed: this.closed };
  }

  get isEmpty(): boolean {
    return this.#head === this.#messages.length;
  }

  stat(now: number): ChannelStat {
    this.trim(now);
    return {
      start: { epoch: this.epoch, seq: this.#startSeq },
      tail: this.tail,
      messages: this.#messages.length - this.#head,
      bytes: this.#bytes,
      lastAt: this.isEmpty ? undefined : this.#messages.at(-1)?.at,
    };
  }

  /** Throws `unavailable` where the store is full of other channels' messages. */
  append(message: NewMessage, now: number): StoredMessage {
    this.#checkRoom(sizeOf(message));
    const seq = ++this.#tailSeq;
    const stored = {
      seq,
      offset: formatOffset(this.epoch, seq),
      from: message.from,
      at: now,
      data: detached(message.data),
      ...(message.meta !== undefined && { meta: detached(message.meta) }),
    };
    this.#messages.push(stored);
    this.#count(sizeOf(stored), 1);
    this.usedAt = now;
    this.trim(now);
    return stored;
  }

  read(start: Start, bound: ReadBound, now: number): Page {
    this.usedAt = now;
    this.trim(now);
    if (start === NOW) return this.#page([], this.#tailSeq, undefined);
    if (start === BEGINNING) return this.#pageAfter(this.#startSeq, bound, undefined);
    if (start.epoch !== this.epoch) return this.#pageAfter(this.#startSeq, bound, 'reset');
    if (start.seq > this.#tailSeq)
      throw new Refused('bad_offset', 'that offset lies beyond the end of the channel');
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

  #isKept(oldest: StoredMessage, now: number): boolean {
    const { messages, ageMs, bytes } = this.#retention;
    const count = this.#messages.length - this.#head;
    if (count > messages || this.#bytes > bytes || oldest.at < now - ageMs) return false;
    return count === 1 || this.#budget.usedBytes <= this.#budget.maxBytes;
  }

  #checkRoom(size: number): void {
    const own = this.#bytes + (this.#messages.length - this.#head) * OVERHEAD_BYTES;
    const others = this.#budget.usedBytes - own;
    if (others + size + OVERHEAD_BYTES > this.#budget.maxBytes)
      throw new Refused('unavailable', 'the store is full');
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
    return { messages, epoch: this.epoch, seq, lost, upToDate: seq === this.#tailSeq, closed: this.closed };
  }
}

/** A text that was cut out of another keeps that whole other one alive: a small message would hold its frame. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}

/** What a message counts for: its text, as UTF-8 has it at most times. */
function sizeOf(message: NewMessage): number {
  return message.data.length + message.from.length + (message.meta?.length ?? 0);
}
