import { makeEpoch } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { StoredMessage } from '../message.js';
import type { Tail, Watcher } from '../store.js';
import type { Watchers } from '../watchers.js';
import { announcementFrom } from './words/announcement.js';

/** What the ears are given. */
export interface EarsParts {
  readonly watchers: Watchers;
  /** Hears of a channel from when it resolves on. Again where that was lost. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Where it ends; where it doesn't exist, when the latest life began that is known of: 0 where none is. */
  tail(channel: string, isUse: boolean): Promise<Tail | number>;
  /** The same at a glance, which costs Redis next to nothing: undefined where a look is due, as that is a use, or finds more. */
  glance(channel: string): Promise<Tail | undefined>;
  /** The same, and one that doesn't exist gets its identity. */
  open(channel: string): Promise<Tail>;
  /** It was watched until then: a time that `now` gave. */
  touch(channel: string, at: number | undefined): Promise<void>;
  readonly now: (() => number) | undefined;
  onFault(error: unknown, channel?: string): void;
}

/** One channel that is watched here, and how far it was told of. */
interface Ear {
  readonly channel: string;
  users: number;
  begun: Promise<void>;
  epoch: string;
  seq: number;
  isClosed: boolean;
  /** The last life that was told to be over. */
  over: string;
  /** Further than it was told of, when it was last looked at: it may be on its way. */
  ahead: Tail | undefined;
}

/** A channel of which nothing is heard is looked at so often, in calls of `tick`. */
const LOOKED_AT_EVERY = 20;
const AT_ONCE = 200;

/**
 * Who watches which channel here. What is said may be lost on its way, so each channel is looked at from time to time, and all of
 * them when they may have been deaf: who watches is told where the log ends, and finds in it what was missed.
 */
export class Ears {
  readonly #parts: EarsParts;
  readonly #ears = new Map<string, Ear>();
  /** To be asked for again, and looked at. */
  readonly #deaf = new Set<Ear>();
  /** Those that were found to be behind, and may be told yet. */
  readonly #suspects = new Set<Ear>();
  /** On their way to end, by channel. */
  readonly #leaving = new Map<string, Promise<void>>();
  #round: Iterator<Ear> | undefined;
  #attending: Promise<void> | undefined;
  /** Since that began: what it does may be in vain. */
  #isCalled = false;
  #hasEnded = false;

  constructor(parts: EarsParts) {
    this.#parts = parts;
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    const end = this.#parts.watchers.add(channel, watcher);
    const ear = this.#use(channel);
    try {
      await ear.begun;
    } catch (error) {
      if (end()) this.#release(ear);
      throw error;
    }
    return () => {
      if (end()) this.#release(ear);
    };
  }

  has(channel: string): boolean {
    return this.#ears.has(channel);
  }

  /** Resolves when nobody is about to stop watching it. */
  settled(channel: string): Promise<void> | undefined {
    return this.#leaving.get(channel);
  }

  /** What was said of a channel. */
  hear(channel: string, bytes: Buffer): void {
    const ear = this.#ears.get(channel);
    if (ear === undefined) return;
    const said = announcementFrom(bytes);
    if ('deleted' in said) this.#deleted(ear, said.epoch);
    else if (said.messages === undefined) this.#moved(ear, said.tail);
    else this.#appended(ear, said.tail, said.messages);
  }

  /** What this process has stored, which need not wait until it is heard. What comes before it may be on its way still. */
  stored(channel: string, tail: Tail, messages: readonly StoredMessage[]): void {
    const ear = this.#ears.get(channel);
    if (ear === undefined || tail.epoch < ear.epoch) return;
    const before = tail.epoch === ear.epoch ? ear.seq : 0;
    if (tail.seq - messages.length <= before) this.#appended(ear, tail, messages);
  }

  deleted(channel: string, epoch: string): void {
    const ear = this.#ears.get(channel);
    if (ear !== undefined) this.#deleted(ear, epoch);
  }

  /** All have to be asked for again. */
  deafen(): void {
    for (const ear of this.#ears.values()) this.#deaf.add(ear);
    this.#isCalled = true;
    void this.#attend();
  }

  /** To be called about every second. Resolves when all that is to be looked at has been. */
  async tick(): Promise<void> {
    await this.#attend();
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    const some = this.#some(Math.ceil(this.#ears.size / LOOKED_AT_EVERY));
    await this.#look([...new Set([...suspects, ...some])], false);
  }

  end(): void {
    this.#hasEnded = true;
    this.#ears.clear();
    this.#deaf.clear();
    this.#suspects.clear();
    this.#parts.watchers.clear();
  }

  #use(channel: string): Ear {
    const found = this.#ears.get(channel);
    if (found !== undefined) {
      found.users++;
      return found;
    }
    const begun = Promise.resolve();
    const ear: Ear = {
      channel,
      users: 1,
      begun,
      epoch: '',
      seq: 0,
      isClosed: false,
      over: '',
      ahead: undefined,
    };
    this.#ears.set(channel, ear);
    ear.begun = this.#begin(ear);
    ear.begun.catch(() => this.#forget(ear));
    return ear;
  }

  /** What is over isn't kept by one who comes later, so it is looked at first. */
  async #begin(ear: Ear): Promise<void> {
    await this.#leaving.get(ear.channel);
    await this.#parts.tail(ear.channel, false);
    await this.#parts.subscribe(ear.channel);
    const tail = await this.#parts.tail(ear.channel, false);
    if (typeof tail === 'object' && tail.epoch >= ear.epoch) take(ear, tail);
  }

  #release(ear: Ear): void {
    ear.users--;
    if (ear.users > 0 || !this.#forget(ear)) return;
    const { channel } = ear;
    const left = this.#leave(channel, this.#parts.now?.())
      .catch((error: unknown) => this.#parts.onFault(error, channel))
      .finally(() => {
        if (this.#leaving.get(channel) === left) this.#leaving.delete(channel);
      });
    this.#leaving.set(channel, left);
  }

  async #leave(channel: string, at: number | undefined): Promise<void> {
    await this.#parts.touch(channel, at); // first: while it is watched it isn't over
    await this.#parts.unsubscribe(channel);
  }

  /** True where it was the one in force. */
  #forget(ear: Ear): boolean {
    this.#deaf.delete(ear);
    this.#suspects.delete(ear);
    return this.#ears.get(ear.channel) === ear && this.#ears.delete(ear.channel);
  }

  #appended(ear: Ear, tail: Tail, messages: readonly StoredMessage[]): void {
    if (tail.epoch < ear.epoch || tail.epoch <= ear.over) return;
    const known = tail.epoch === ear.epoch ? ear.seq : 0;
    const news = messages.filter(({ seq }) => seq > known);
    const closed = tail.closed && !(ear.isClosed && ear.epoch === tail.epoch) ? tail : undefined;
    take(ear, tail);
    this.#parts.watchers.tell({ channel: ear.channel, epoch: tail.epoch, messages: news, closed });
  }

  /** There is more than it was told of; what it is stands in the log. */
  #moved(ear: Ear, tail: Tail): void {
    if (tail.epoch <= ear.over || !isAhead(tail, ear)) return;
    take(ear, tail);
    this.#parts.watchers.tell({ channel: ear.channel, epoch: tail.epoch, moved: tail });
  }

  #deleted(ear: Ear, epoch: string): void {
    if (epoch <= ear.over || epoch < ear.epoch) return;
    ear.over = epoch;
    ear.epoch = epoch;
    ear.seq = 0;
    ear.isClosed = false;
    this.#parts.watchers.tell({ channel: ear.channel, epoch, deleted: true });
  }

  /** The next ones to be looked at. */
  #some(count: number): Ear[] {
    const some: Ear[] = [];
    while (some.length < count) {
      this.#round ??= this.#ears.values();
      const { value, done } = this.#round.next();
      if (done === true) {
        this.#round = undefined;
        break;
      }
      some.push(value);
    }
    return some;
  }

  /** Until none is deaf, or it can't be done now. */
  #attend(): Promise<void> {
    this.#attending ??= this.#attendAll()
      .catch((error: unknown) => this.#parts.onFault(error))
      .finally(() => {
        this.#attending = undefined;
        if (this.#isCalled) void this.#attend();
      });
    return this.#attending;
  }

  async #attendAll(): Promise<void> {
    this.#isCalled = false;
    while (this.#deaf.size > 0 && !this.#hasEnded) {
      const some = [...this.#deaf].slice(0, AT_ONCE);
      await Promise.all(some.map(({ channel }) => this.#parts.subscribe(channel)));
      await this.#look(some, true);
      for (const ear of some) this.#deaf.delete(ear);
    }
  }

  /** `isSure` where nothing can be on its way that was said before. */
  async #look(ears: readonly Ear[], isSure: boolean): Promise<void> {
    for (let from = 0; from < ears.length; from += AT_ONCE) {
      const some = ears.slice(from, from + AT_ONCE);
      await Promise.all(some.map((ear) => this.#lookOrTell(ear, isSure)));
    }
  }

  /** One that holds what is none of ours keeps nobody from looking at the others. */
  async #lookOrTell(ear: Ear, isSure: boolean): Promise<void> {
    try {
      await this.#lookAt(ear, isSure);
    } catch (error) {
      if (error instanceof Refused) throw error;
      this.#parts.onFault(error, ear.channel);
    }
  }

  async #lookAt(ear: Ear, isSure: boolean): Promise<void> {
    if (!isSure && (await this.#isAsTold(ear))) return;
    const before = ear.ahead;
    const found = await this.#parts.tail(ear.channel, true);
    if (this.#ears.get(ear.channel) !== ear) return;
    const tail = typeof found === 'object' ? found : await this.#lookForLost(ear, found);
    if (tail === undefined) return;
    ear.ahead = isAhead(tail, ear) ? tail : undefined;
    if (ear.ahead !== undefined) this.#suspects.add(ear);
    const missed = isSure ? tail : before;
    if (missed === undefined || !isAhead(missed, ear)) return;
    if (!isSure) this.#deaf.add(ear);
    this.#moved(ear, tail);
  }

  /** Most are, at any time. */
  async #isAsTold(ear: Ear): Promise<boolean> {
    const tail = await this.#parts.glance(ear.channel);
    if (tail === undefined || isAhead(tail, ear)) return false;
    ear.ahead = undefined;
    return true;
  }

  /** It isn't there: it was deleted, or Redis has lost its data, and there is a new life. */
  async #lookForLost(ear: Ear, latestAt: number): Promise<Tail | undefined> {
    if (ear.epoch === '' || ear.epoch <= ear.over) return undefined;
    if (latestAt > 0 && ear.epoch.slice(0, -2) <= makeEpoch(latestAt, 0).slice(0, -2)) {
      this.#deleted(ear, ear.epoch);
      return undefined;
    }
    return this.#parts.open(ear.channel);
  }
}

function take(ear: Ear, { epoch, seq, closed }: Tail): void {
  ear.isClosed = closed || (ear.isClosed && ear.epoch === epoch);
  ear.seq = epoch === ear.epoch ? Math.max(seq, ear.seq) : seq;
  ear.epoch = epoch;
}

function isAhead(tail: Tail, ear: Ear): boolean {
  if (tail.epoch !== ear.epoch) return tail.epoch > ear.epoch;
  return tail.seq > ear.seq || (tail.closed && !ear.isClosed);
}
