import { JSON_TYPE } from '../../protocol/media.js';
import type { Start } from '../../protocol/offset.js';
import { makeEpoch } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Creation, Fork } from '../creation.js';
import type { NewMessage, StoredMessage } from '../message.js';
import { Closed } from '../refusals.js';
import type { Appended, AppendOptions, ChannelStat, Created, Page, ReadBound, Tail } from '../store.js';
import type { News } from '../watchers.js';
import { appended, checkOrder, checkSame, checkType, created } from './checks.js';
import type { Inheritance } from './inherit.js';
import { inheritance } from './inherit.js';
import type { Log } from './log.js';
import { emptyState } from './log-state.js';
import type { Shelf } from './shelf.js';
import type { Totals } from './totals.js';

/** What a store's channels go by. */
export interface Rules {
  readonly maxChannels: number;
  /** How long an empty channel that nobody watches keeps its identity, in ms. */
  readonly identityMs: number;
  /** 0 to 1295: makes the epochs of this process other than those of another one. */
  readonly salt: number;
  isWatched(channel: string): boolean;
}

/** How often, while a channel keeps its identity without any, a use is noted at most. */
const USES_NOTED = 24;

/**
 * What the text of `Store` says, done to the logs of a shelf at a moment: all of it at once, with what there is to tell
 * the watchers of afterwards.
 */
export class Channels {
  readonly news: News[] = [];
  readonly #shelf: Shelf;
  readonly #rules: Rules;
  readonly #now: number;

  constructor(shelf: Shelf, rules: Rules, now: number) {
    this.#shelf = shelf;
    this.#rules = rules;
    this.#now = now;
  }

  open(channel: string): Tail {
    return this.#log(channel).tail;
  }

  create(channel: string, creation: Creation): Created {
    const found = this.#standing(channel);
    if (found !== undefined && !found.state.blank) {
      checkSame(found.state, creation);
      found.state.stays = true;
      return created(found, false);
    }
    const log = this.#make(channel, creation, found?.state.epoch);
    const stored = this.#fill(log, creation);
    this.#enter(channel, log);
    if (found !== undefined && creation.fork !== undefined) this.#tellDeleted(channel, found); // its offsets are others
    log.state.stays = true;
    log.state.blank = false;
    this.#publish(channel, log, stored, creation.closed === true);
    return created(log, true);
  }

  append(
    channel: string,
    messages: readonly NewMessage[],
    { contentType = JSON_TYPE, producer, order, closes = false, creates = true }: AppendOptions,
  ): Appended {
    const log = creates ? this.#log(channel) : this.#existing(channel);
    const before = producer && log.producers.find(producer);
    if (before !== undefined) return appended(log, log.offsetAt(before), true, producer);
    const isClosed = log.state.closed;
    if (isClosed && closes && messages.length === 0 && producer === undefined)
      return appended(log, log.offsetAt(log.tail.seq), false, undefined);
    if (isClosed) throw new Closed(log.offsetAt(log.tail.seq));
    if (messages.length > 0) checkType(log, contentType);
    if (producer !== undefined) log.producers.expect(producer, this.#now);
    if (order !== undefined) checkOrder(log, order);
    const stored = log.append(messages, this.#now);
    log.state.lastOrder = order ?? log.state.lastOrder;
    if (producer !== undefined) log.producers.accept(producer, log.tail.seq, this.#now);
    this.#publish(channel, log, stored, closes);
    return appended(log, stored.at(-1)?.offset ?? log.offsetAt(log.tail.seq), false, producer);
  }

  read(channel: string, start: Start, bound: ReadBound): Page {
    const log = this.#log(channel);
    log.state.usedAt = this.#now;
    return log.read(start, bound, this.#now);
  }

  /** The same where the channel is there and needs nothing done to it; else undefined. */
  readAsItIs(channel: string, start: Start, bound: ReadBound): Page | undefined {
    return this.#asItIs(channel)?.read(start, bound, this.#now);
  }

  /** Likewise, where it ends. */
  tailAsItIs(channel: string): Tail | undefined {
    return this.#asItIs(channel)?.tail;
  }

  /** True where it is there, and how long it will be depends on its being read now. */
  mustNoteUse(channel: string): boolean {
    const state = this.#asItIs(channel)?.state;
    if (state === undefined) return false;
    const isLate = this.#now - state.usedAt > this.#rules.identityMs / USES_NOTED;
    return isLate || state.lifetime.ttlSeconds !== undefined;
  }

  /** True where its time is over, and it is still there. */
  isOver(channel: string): boolean {
    const log = this.#shelf.get(channel);
    return log !== undefined && this.#isOver(channel, log);
  }

  stat(channel: string): ChannelStat | undefined {
    const log = this.#find(channel);
    return log === undefined || log.state.blank ? undefined : log.stat(this.#now);
  }

  list(after: string, limit: number): string[] {
    const isThere = (channel: string, log: Log): boolean =>
      !log.state.blank && !log.state.gone && !this.#isOver(channel, log);
    return this.#shelf.names(after, limit, isThere);
  }

  close(channel: string): Tail {
    const log = this.#log(channel);
    if (log.state.closed) return log.tail;
    log.state.usedAt = this.#now;
    this.#publish(channel, log, [], true);
    return log.tail;
  }

  delete(channel: string): boolean {
    const log = this.#find(channel);
    if (log === undefined) return false;
    const existed = !log.state.blank;
    this.#remove(channel, log);
    return existed;
  }

  /** Deletes what is over. */
  settle(channel: string): void {
    this.#settled(channel);
  }

  /** It was used until then. */
  touch(channel: string, at: number): void {
    const log = this.#shelf.get(channel);
    if (log !== undefined) log.state.usedAt = Math.max(log.state.usedAt, at);
  }

  /** Frees a channel of what is no longer kept, or the store of the channel. */
  sweep(channel: string, log: Log): void {
    log.trim(this.#now);
    if (this.#isOver(channel, log)) this.#remove(channel, log);
    else if (this.#isForgotten(channel, log)) this.#shelf.delete(channel);
  }

  #asItIs(channel: string): Log | undefined {
    const log = this.#shelf.get(channel);
    return log === undefined || log.state.gone || this.#isOver(channel, log) ? undefined : log;
  }

  /** The log of a channel, which is made where there is none. */
  #log(channel: string): Log {
    const found = this.#find(channel);
    if (found !== undefined) return found;
    const made = this.#make(channel, {});
    this.#enter(channel, made);
    return made;
  }

  /** The log of a channel that somebody has made or written to. */
  #existing(channel: string): Log {
    const found = this.#find(channel);
    if (found === undefined || found.state.blank) throw new Refused('not_found', 'there is no such channel');
    return found;
  }

  /** The log of a channel that has at least an identity. Throws `gone`. */
  #find(channel: string): Log | undefined {
    const found = this.#settled(channel);
    if (found?.state.gone === true) throw new Refused('gone', 'the channel was deleted');
    return found;
  }

  /** The same, to make it or a fork of it. Throws `conflict` where it was deleted and the name is still taken. */
  #standing(channel: string): Log | undefined {
    const found = this.#settled(channel);
    if (found?.state.gone === true) throw new Refused('conflict', 'the channel was deleted, and has forks');
    return found;
  }

  /** What is there of that name, gone or not. One whose time is over is deleted here. */
  #settled(channel: string): Log | undefined {
    const found = this.#shelf.get(channel);
    if (found !== undefined && this.#isOver(channel, found)) this.#remove(channel, found);
    return this.#shelf.get(channel);
  }

  #make(channel: string, creation: Creation, identity?: string): Log {
    const { fork, whole = false } = creation;
    const source = fork && this.#source(fork);
    const contentType = creation.contentType ?? source?.state.contentType ?? JSON_TYPE;
    const lifetime = creation.lifetime ?? source?.state.lifetime ?? {};
    const taken = source && fork && inheritance(source, fork, this.#now);
    if (source?.isOfType(contentType) === false)
      throw new Refused('conflict', 'the source is of another type');
    const epoch =
      (fork === undefined ? identity : undefined) ?? nextEpoch(this.#shelf.totals, this.#rules, this.#now);
    const state = emptyState({ epoch, contentType, lifetime, whole }, this.#now);
    if (source === undefined || taken === undefined) return this.#shelf.make(channel, state);
    return this.#makeFork(channel, state, source, taken);
  }

  #makeFork(channel: string, blank: ReturnType<typeof emptyState>, source: Log, taken: Inheritance): Log {
    const { ancestry, stretches, toSeq, part } = taken;
    const log = this.#shelf.make(channel, { ...blank, ancestry, stretches });
    log.inherit(source, source.state.startSeq, toSeq, part, this.#now);
    return log;
  }

  /** Its first messages. Where there is no room for them, none of it is there. */
  #fill(log: Log, { messages = [] }: Creation): StoredMessage[] {
    try {
      return log.append(messages, this.#now);
    } catch (error) {
      log.clear();
      throw error;
    }
  }

  #source({ source }: Fork): Log {
    this.#standing(source);
    return this.#existing(source);
  }

  #enter(channel: string, log: Log): void {
    const { totals } = this.#shelf;
    const isTaken = this.#shelf.get(channel) !== undefined;
    if (!isTaken && totals.channels >= this.#rules.maxChannels && !this.#forgetBlank()) {
      log.clear();
      throw new Refused('too_many', `there are ${this.#rules.maxChannels} channels already`);
    }
    this.#shelf.set(channel, log);
    const source = log.state.ancestry && this.#shelf.get(log.state.ancestry.source);
    if (source !== undefined) source.state.forks++;
  }

  /** Makes it so, to be told of when it is kept. */
  #publish(channel: string, log: Log, messages: readonly StoredMessage[], closes: boolean): void {
    const { state } = log;
    if (closes) state.closed = true;
    if (!closes && messages.length === 0) return;
    state.blank = false;
    this.news.push({ channel, epoch: state.epoch, messages, closed: closes ? log.tail : undefined });
  }

  /** Deletes it: what its forks have is theirs, but its name stays taken for as long as there are any. */
  #remove(channel: string, log: Log): void {
    log.clear();
    log.state.gone = true;
    if (log.state.forks === 0) this.#release(channel, log);
    this.#tellDeleted(channel, log);
  }

  #tellDeleted(channel: string, { state: { epoch } }: Log): void {
    this.news.push({ channel, epoch, deleted: true });
  }

  #release(channel: string, log: Log): void {
    this.#shelf.delete(channel);
    const name = log.state.ancestry?.source;
    const source = name === undefined ? undefined : this.#shelf.get(name);
    if (name === undefined || source === undefined) return;
    source.state.forks--;
    if (source.state.gone && source.state.forks === 0) this.#release(name, source);
  }

  #isOver(channel: string, log: Log): boolean {
    return !log.state.gone && log.isOver(this.#now, this.#rules.isWatched(channel));
  }

  /** Makes room, if there is a channel that nobody has written to or looks at. */
  #forgetBlank(): boolean {
    for (const channel of this.#shelf.blank()) {
      if (this.#rules.isWatched(channel) || this.#shelf.get(channel)?.state.blank !== true) continue;
      this.#shelf.delete(channel);
      return true;
    }
    return false;
  }

  #isForgotten(channel: string, log: Log): boolean {
    const { stays, closed, forks, usedAt } = log.state;
    const isHeld = stays || closed || forks > 0 || this.#rules.isWatched(channel);
    return log.isEmpty && !isHeld && this.#now - usedAt > this.#rules.identityMs;
  }
}

/** Later than every epoch before it, also where the clock stands still or is set back. */
export function nextEpoch(totals: Totals, { salt }: Pick<Rules, 'salt'>, now: number): string {
  totals.lastEpochAt = Math.max(now, totals.lastEpochAt + 1);
  return makeEpoch(totals.lastEpochAt, salt);
}
