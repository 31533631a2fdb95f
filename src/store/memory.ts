import type { Producer } from '../protocol/commands.js';
import type { Start } from '../protocol/offset.js';
import { formatOffset, makeEpoch } from '../protocol/offset.js';
import { Refused } from '../protocol/refused.js';
import { firstAfter } from './first-after.js';
import type { Budget } from './memory-log.js';
import { MemoryLog } from './memory-log.js';
import type {
  Appended,
  ChannelStat,
  NewMessage,
  Page,
  ReadBound,
  Retention,
  Store,
  Tail,
  Watcher,
} from './store.js';

/** PROTOCOL: 1,000 messages or 24 h or 8 MiB, whichever first. */
export const DEFAULT_RETENTION: Retention = { messages: 1000, ageMs: 24 * 3_600_000, bytes: 8 * 1024 * 1024 };

export interface MemoryStoreOptions {
  /** How long a channel's log is kept; asked once, when the channel is made. Default: DEFAULT_RETENTION for all. */
  readonly retention?: (channel: string) => Retention;
  /** How many channels there may be; one more is refused with `too_many`. Default 100,000. */
  readonly maxChannels?: number;
  /** Bytes of all channels together; what finds no room even so is refused with `unavailable`. Default 256 MiB. */
  readonly maxBytes?: number;
  /** How long an empty channel that nobody watches keeps its identity, in ms. Default 24 h. */
  readonly identityMs?: number;
  /** The time in ms since 1970. Default Date.now. */
  readonly now?: () => number;
  /** A number from 0 up to but not including 1. Default Math.random. */
  readonly random?: () => number;
}

const SWEPT_AT_ONCE = 2000;
const SALTS = 36 * 36;

/**
 * Logs in the memory of this process. What is accepted survives nothing: with the process it is gone,
 * and readers that come back to the next one are told so (`resume: "lost"`).
 */
export class MemoryStore implements Store {
  readonly #logs = new Map<string, MemoryLog>();
  /** Channels that never had a message: where there is no room for another, these go first. */
  readonly #blank = new Set<string>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #retention: (channel: string) => Retention;
  readonly #maxChannels: number;
  readonly #budget: Budget;
  readonly #identityMs: number;
  readonly #now: () => number;
  readonly #salt: number;
  #lastEpochAt = 0;
  #sweep: Iterator<[string, MemoryLog]> | undefined;

  constructor(options: MemoryStoreOptions = {}) {
    this.#retention = options.retention ?? (() => DEFAULT_RETENTION);
    this.#maxChannels = options.maxChannels ?? 100_000;
    this.#budget = { usedBytes: 0, maxBytes: options.maxBytes ?? 256 * 1024 * 1024 };
    this.#identityMs = options.identityMs ?? 24 * 3_600_000;
    this.#now = options.now ?? Date.now;
    this.#salt = Math.floor((options.random ?? Math.random)() * SALTS);
  }

  async open(channel: string): Promise<Tail> {
    return this.#log(channel).tail;
  }

  async create(channel: string): Promise<Tail> {
    const log = this.#log(channel);
    log.kept = true;
    this.#blank.delete(channel);
    return log.tail;
  }

  async append(channel: string, message: NewMessage, producer?: Producer, creates = true): Promise<Appended> {
    if (!creates && !this.#exists(channel)) throw new Refused('not_found', 'there is no such channel');
    const log = this.#log(channel);
    const now = this.#now();
    const before = producer && log.producers.check(producer, now);
    if (before !== undefined) return { offset: formatOffset(log.epoch, before), duplicate: true };
    if (log.closed) throw new Refused('closed', 'the channel is closed');
    const stored = log.append(message, now);
    if (stored.seq === 1) this.#blank.delete(channel);
    if (producer !== undefined) log.producers.accept(producer, stored.seq, now);
    for (const watcher of this.#watching(channel)) watcher.appended(stored, log.epoch);
    return { offset: stored.offset, duplicate: false };
  }

  async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#log(channel).read(start, bound, this.#now());
  }

  async stat(channel: string): Promise<ChannelStat | undefined> {
    return this.#exists(channel) ? this.#logs.get(channel)?.stat(this.#now()) : undefined;
  }

  async list(after: string, limit: number): Promise<string[]> {
    return firstAfter(this.#existing(), after, limit);
  }

  async close(channel: string): Promise<Tail> {
    const log = this.#log(channel);
    if (!log.closed) {
      log.closed = true;
      this.#blank.delete(channel);
      for (const watcher of this.#watching(channel)) watcher.closed(log.tail);
    }
    return log.tail;
  }

  async delete(channel: string): Promise<void> {
    const log = this.#logs.get(channel);
    if (log === undefined) return;
    log.clear();
    this.#forget(channel);
    for (const watcher of this.#watching(channel)) watcher.deleted();
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    const watchers = this.#watchers.get(channel) ?? new Set();
    this.#watchers.set(channel, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(channel) === watchers) this.#watchers.delete(channel);
    };
  }

  sweep(): void {
    const now = this.#now();
    this.#sweep ??= this.#logs.entries();
    for (let swept = 0; swept < SWEPT_AT_ONCE; swept++) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        return;
      }
      const [channel, log] = next.value;
      log.trim(now);
      if (this.#isForgotten(channel, log, now)) this.#forget(channel);
    }
  }

  async ping(): Promise<void> {}

  async end(): Promise<void> {
    this.#logs.clear();
    this.#blank.clear();
    this.#watchers.clear();
  }

  #log(channel: string): MemoryLog {
    const found = this.#logs.get(channel);
    if (found !== undefined) return found;
    if (this.#logs.size >= this.#maxChannels && !this.#forgetBlank()) {
      throw new Refused('too_many', `there are ${this.#maxChannels} channels already`);
    }
    const made = new MemoryLog(this.#nextEpoch(), this.#retention(channel), this.#budget, this.#now());
    this.#logs.set(channel, made);
    this.#blank.add(channel);
    return made;
  }

  *#existing(): Iterable<string> {
    for (const name of this.#logs.keys()) if (this.#exists(name)) yield name;
  }

  /** A channel that nobody has made or written to has an identity at the most. */
  #exists(channel: string): boolean {
    return this.#logs.has(channel) && !this.#blank.has(channel);
  }

  #forget(channel: string): void {
    this.#logs.delete(channel);
    this.#blank.delete(channel);
  }

  /** Makes room, if there is a channel that nobody has written to or looks at. */
  #forgetBlank(): boolean {
    for (const channel of this.#blank) {
      if (this.#watchers.has(channel)) continue;
      this.#forget(channel);
      return true;
    }
    return false;
  }

  /** Later than every epoch before it, also where the clock stands still or is set back. */
  #nextEpoch(): string {
    this.#lastEpochAt = Math.max(this.#now(), this.#lastEpochAt + 1);
    return makeEpoch(this.#lastEpochAt, this.#salt);
  }

  /** Over a copy: a watcher may end itself, or another, when it is called. */
  #watching(channel: string): Watcher[] {
    const watchers = this.#watchers.get(channel);
    return watchers === undefined ? [] : [...watchers];
  }

  #isForgotten(channel: string, log: MemoryLog, now: number): boolean {
    const isHeld = log.kept || log.closed || this.#watchers.has(channel);
    return log.isEmpty && !isHeld && now - log.usedAt > this.#identityMs;
  }
}
