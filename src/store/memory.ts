import { JSON_TYPE } from '../protocol/media.js';
import type { Start } from '../protocol/offset.js';
import { makeEpoch } from '../protocol/offset.js';
import { Refused } from '../protocol/refused.js';
import type { Creation, Fork } from './creation.js';
import { firstAfter } from './first-after.js';
import { appended, checkOrder, checkSame, checkType, created } from './memory-checks.js';
import { inherit } from './memory-fork.js';
import type { Budget } from './memory-log.js';
import { MemoryLog } from './memory-log.js';
import type { NewMessage, StoredMessage } from './message.js';
import { Closed } from './refusals.js';
import type {
  Appended,
  AppendOptions,
  ChannelStat,
  Created,
  Page,
  ReadBound,
  Retention,
  Store,
  Tail,
  Watcher,
} from './store.js';

/** PROTOCOL: 1,000 messages or 24 h or 8 MiB, whichever first. */
export const DEFAULT_RETENTION: Retention = { messages: 1000, ageMs: 24 * 3_600_000, bytes: 8 * 1024 * 1024 };

/** No bound: what is kept goes with its channel. */
export const KEEP_EVERYTHING: Retention = {
  messages: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
};

export interface MemoryStoreOptions {
  /**
   * How long a channel's log is kept; asked once, when the channel is made. `whole` is true for one that was made to be
   * kept whole. Default: DEFAULT_RETENTION for all but those, of which everything is kept.
   */
  readonly retention?: (channel: string, whole: boolean) => Retention;
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
  readonly #retention: (channel: string, whole: boolean) => Retention;
  readonly #maxChannels: number;
  readonly #budget: Budget;
  readonly #identityMs: number;
  readonly #now: () => number;
  readonly #salt: number;
  #lastEpochAt = 0;
  #sweep: Iterator<[string, MemoryLog]> | undefined;

  constructor(options: MemoryStoreOptions = {}) {
    this.#retention = options.retention ?? ((_, whole) => (whole ? KEEP_EVERYTHING : DEFAULT_RETENTION));
    this.#maxChannels = options.maxChannels ?? 100_000;
    this.#budget = { usedBytes: 0, maxBytes: options.maxBytes ?? 256 * 1024 * 1024 };
    this.#identityMs = options.identityMs ?? 24 * 3_600_000;
    this.#now = options.now ?? Date.now;
    this.#salt = Math.floor((options.random ?? Math.random)() * SALTS);
  }

  async open(channel: string): Promise<Tail> {
    return this.#log(channel).tail;
  }

  async create(channel: string, creation: Creation = {}): Promise<Created> {
    const found = this.#standing(channel);
    if (found !== undefined && !this.#blank.has(channel)) {
      checkSame(found, creation);
      found.stays = true;
      return created(found, false);
    }
    const log = this.#make(channel, creation, found?.epochs.own);
    const stored = this.#fill(log, creation);
    if (found !== undefined && creation.fork !== undefined) this.#remove(channel, found); // its offsets are others
    this.#enter(channel, log);
    log.stays = true;
    this.#publish(channel, log, stored, creation.closed === true);
    return created(log, true);
  }

  async append(
    channel: string,
    messages: readonly NewMessage[],
    { contentType = JSON_TYPE, producer, order, closes = false, creates = true }: AppendOptions = {},
  ): Promise<Appended> {
    const log = creates ? this.#log(channel) : this.#existing(channel);
    const now = this.#now();
    const before = producer && log.producers.find(producer);
    if (before !== undefined) return appended(log, log.offsetAt(before), true, producer);
    if (log.closed && closes && messages.length === 0 && producer === undefined)
      return appended(log, log.offsetAt(log.tail.seq), false, undefined);
    if (log.closed) throw new Closed(log.offsetAt(log.tail.seq));
    if (messages.length > 0) checkType(log, contentType);
    if (producer !== undefined) log.producers.expect(producer, now);
    if (order !== undefined) checkOrder(log, order);
    const stored = log.append(messages, now);
    log.lastOrder = order ?? log.lastOrder;
    if (producer !== undefined) log.producers.accept(producer, log.tail.seq, now);
    this.#publish(channel, log, stored, closes);
    return appended(log, log.offsetAt(log.tail.seq), false, producer);
  }

  async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#log(channel).read(start, bound, this.#now());
  }

  async stat(channel: string): Promise<ChannelStat | undefined> {
    const log = this.#find(channel);
    return log === undefined || this.#blank.has(channel) ? undefined : log.stat(this.#now());
  }

  async list(after: string, limit: number): Promise<string[]> {
    return firstAfter(this.#names(), after, limit);
  }

  async close(channel: string): Promise<Tail> {
    const log = this.#log(channel);
    if (!log.closed) {
      log.usedAt = this.#now();
      this.#publish(channel, log, [], true);
    }
    return log.tail;
  }

  async delete(channel: string): Promise<boolean> {
    const log = this.#find(channel);
    if (log === undefined) return false;
    const existed = !this.#blank.has(channel);
    this.#remove(channel, log);
    return existed;
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    this.#settled(channel); // what is over isn't kept by one who comes later
    const watchers = this.#watchers.get(channel) ?? new Set();
    this.#watchers.set(channel, watchers.add(watcher));
    return () => {
      if (watchers.delete(watcher)) this.#touch(channel);
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
      if (this.#isOver(channel, log)) this.#remove(channel, log);
      else if (this.#isForgotten(channel, log, now)) this.#forget(channel);
    }
  }

  async ping(): Promise<void> {}

  async end(): Promise<void> {
    this.#logs.clear();
    this.#blank.clear();
    this.#watchers.clear();
  }

  /** The log of a channel, which is made where there is none. */
  #log(channel: string): MemoryLog {
    const found = this.#find(channel);
    if (found !== undefined) return found;
    const made = this.#make(channel, {});
    this.#enter(channel, made);
    this.#blank.add(channel);
    return made;
  }

  /** The log of a channel that somebody has made or written to. */
  #existing(channel: string): MemoryLog {
    const found = this.#find(channel);
    if (found === undefined || this.#blank.has(channel))
      throw new Refused('not_found', 'there is no such channel');
    return found;
  }

  /** The log of a channel that has at least an identity. Throws `gone`. */
  #find(channel: string): MemoryLog | undefined {
    const found = this.#settled(channel);
    if (found?.gone === true) throw new Refused('gone', 'the channel was deleted');
    return found;
  }

  /** The same, to make it or a fork of it. Throws `conflict` where it was deleted and the name is still taken. */
  #standing(channel: string): MemoryLog | undefined {
    const found = this.#settled(channel);
    if (found?.gone === true) throw new Refused('conflict', 'the channel was deleted, and has forks');
    return found;
  }

  /** What is there of that name, gone or not. One whose time is over is deleted here. */
  #settled(channel: string): MemoryLog | undefined {
    const found = this.#logs.get(channel);
    if (found !== undefined && this.#isOver(channel, found)) this.#remove(channel, found);
    return this.#logs.get(channel);
  }

  #make(channel: string, creation: Creation, identity?: string): MemoryLog {
    const { fork, whole = false } = creation;
    const source = fork && this.#source(fork);
    const epoch = fork === undefined ? identity : undefined;
    const config = {
      contentType: creation.contentType ?? source?.config.contentType ?? JSON_TYPE,
      lifetime: creation.lifetime ?? source?.config.lifetime ?? {},
      inherited: source && fork && inherit(source, fork, this.#now()),
    };
    if (source?.isOfType(config.contentType) === false)
      throw new Refused('conflict', 'the source is of another type');
    const keeping = { retention: this.#retention(channel, whole), whole };
    return new MemoryLog(epoch ?? this.#nextEpoch(), config, keeping, this.#budget, this.#now());
  }

  /** Its first messages. Where there is no room for them, none of it is there. */
  #fill(log: MemoryLog, { messages = [] }: Creation): StoredMessage[] {
    try {
      return log.append(messages, this.#now());
    } catch (error) {
      log.clear();
      throw error;
    }
  }

  #source({ source }: Fork): MemoryLog {
    this.#standing(source);
    return this.#existing(source);
  }

  #enter(channel: string, log: MemoryLog): void {
    if (!this.#logs.has(channel) && this.#logs.size >= this.#maxChannels && !this.#forgetBlank()) {
      log.clear();
      throw new Refused('too_many', `there are ${this.#maxChannels} channels already`);
    }
    this.#logs.set(channel, log);
    this.#blank.delete(channel);
    const source = log.config.inherited && this.#logs.get(log.config.inherited.source);
    if (source !== undefined) source.forks++;
  }

  /** Tells of what was stored, and of the end where this is it: when the first of it is heard, all of it is so. */
  #publish(channel: string, log: MemoryLog, stored: readonly StoredMessage[], closes: boolean): void {
    if (closes) log.closed = true;
    if (closes || stored.length > 0) this.#blank.delete(channel);
    for (const message of stored)
      for (const watcher of this.#watching(channel)) watcher.appended(message, log.epochs.own);
    if (closes) for (const watcher of this.#watching(channel)) watcher.closed(log.tail);
  }

  /** Deletes it: what its forks have is theirs, but its name stays taken for as long as there are any. */
  #remove(channel: string, log: MemoryLog): void {
    log.clear();
    log.gone = true;
    if (log.forks === 0) this.#release(channel, log);
    for (const watcher of this.#watching(channel)) watcher.deleted();
  }

  #release(channel: string, log: MemoryLog): void {
    this.#forget(channel);
    const name = log.config.inherited?.source;
    const source = name === undefined ? undefined : this.#logs.get(name);
    if (name === undefined || source === undefined) return;
    source.forks--;
    if (source.gone && source.forks === 0) this.#release(name, source);
  }

  *#names(): Iterable<string> {
    for (const [name, log] of this.#logs)
      if (!this.#blank.has(name) && !log.gone && !this.#isOver(name, log)) yield name;
  }

  #isOver(channel: string, log: MemoryLog): boolean {
    return !log.gone && log.isOver(this.#now(), this.#watchers.has(channel));
  }

  /** Who watched it has used it until now. */
  #touch(channel: string): void {
    const log = this.#logs.get(channel);
    if (log !== undefined) log.usedAt = this.#now();
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
    const isHeld = log.stays || log.closed || log.forks > 0 || this.#watchers.has(channel);
    return log.isEmpty && !isHeld && now - log.usedAt > this.#identityMs;
  }
}
