import type { Start } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Creation } from '../creation.js';
import type { NewMessage } from '../message.js';
import { Pages } from '../pages.js';
import type {
  Appended,
  AppendOptions,
  ChannelStat,
  Created,
  Page,
  ReadBound,
  Store,
  Tail,
  Watcher,
} from '../store.js';
import { Watchers } from '../watchers.js';
import { bareBound, bareCreation, bareMessage, bareOptions, bareStart } from './bare.js';
import type { Link } from './send-queue.js';
import { SendQueue } from './send-queue.js';
import type { Asked, Method, News, Told } from './words.js';
import { errorFrom } from './words.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One watch for all who watch a channel in this process. */
interface Watch {
  readonly begun: Promise<unknown>;
  users: number;
}

/**
 * The store of another process, which has a `StoreHost` for it: everything is asked of that, and what is promised is what
 * its store promises. Appends of this process to a channel take effect in the order of the calls; with those of others
 * they mix. A channel is watched there once, however many watch it here.
 *
 * Not promised: that a call is answered where the other process doesn't. Who has made the link ends when that is gone.
 */
export class SharedStore implements Store {
  readonly #queue: SendQueue<Asked>;
  readonly #watchers = new Watchers();
  readonly #watches = new Map<string, Watch>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #pages = new Pages((...args) => this.#ask('read', args));
  #lastId = 0;
  #hasEnded = false;

  /** `defer` runs something at the end of this turn of the event loop. */
  constructor(link: Link, defer: (run: () => void) => void) {
    this.#queue = new SendQueue(link, defer);
    // what comes is of StoreHost: no other speaks on this link
    link.listen((items) => this.#hear(items as readonly Told[]));
  }

  open(channel: string): Promise<Tail> {
    return this.#ask('open', [channel]);
  }

  create(channel: string, creation: Creation = {}): Promise<Created> {
    return this.#ask('create', [channel, bareCreation(creation)]);
  }

  append(channel: string, messages: readonly NewMessage[], options: AppendOptions = {}): Promise<Appended> {
    return this.#ask('append', [channel, messages.map(bareMessage), bareOptions(options)]);
  }

  read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#pages.read(channel, bareStart(start), bareBound(bound));
  }

  stat(channel: string): Promise<ChannelStat | undefined> {
    return this.#ask('stat', [channel]);
  }

  list(after: string, limit: number): Promise<string[]> {
    return this.#ask('list', [after, limit]);
  }

  close(channel: string): Promise<Tail> {
    return this.#ask('close', [channel]);
  }

  delete(channel: string): Promise<boolean> {
    return this.#ask('delete', [channel]);
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    const end = this.#watchers.add(channel, watcher); // first: the news may come together with the answer
    const watch = this.#use(channel);
    try {
      await watch.begun;
    } catch (error) {
      if (end()) this.#release(channel, watch);
      throw error;
    }
    return () => {
      if (end()) this.#release(channel, watch);
    };
  }

  sweep(): Promise<void> {
    return this.#ask('sweep', []);
  }

  ping(): Promise<void> {
    return this.#ask('ping', []);
  }

  /** Lets go of what is here; the store itself is its owner's to end. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    for (const channel of this.#watches.keys()) this.#queue.add([0, 'unwatch', [channel]]);
    this.#watches.clear();
    this.#watchers.clear();
    for (const { reject } of this.#waiting.values()) reject(hasEnded());
    this.#waiting.clear();
  }

  #ask<M extends Method>(method: M, args: Parameters<Store[M]>): ReturnType<Store[M]> {
    const asked = this.#call((id) => [id, method, args] as unknown as Asked); // a method and its own arguments
    return asked as ReturnType<Store[M]>; // the host answers with what that method gives
  }

  #call(ask: (id: number) => Asked): Promise<unknown> {
    if (this.#hasEnded) return Promise.reject(hasEnded());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#queue.add(ask(id));
    });
  }

  #hear(items: readonly Told[]): void {
    for (const told of items) {
      if (told[0] === 'done') this.#settle(told[1])?.resolve(told[2]);
      else if (told[0] === 'failed') this.#settle(told[1])?.reject(errorFrom(told[2]));
      else this.#tell(told);
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #tell(news: News): void {
    const [kind, channel] = news;
    if (kind === 'appended') this.#watchers.tell({ channel, epoch: news[3], messages: [news[2]] });
    else if (kind === 'closed') this.#watchers.tell({ channel, epoch: news[2].epoch, closed: news[2] });
    else if (kind === 'moved') this.#watchers.tell({ channel, epoch: news[2].epoch, moved: news[2] });
    else this.#watchers.tell({ channel, epoch: '', deleted: true });
  }

  #use(channel: string): Watch {
    const found = this.#watches.get(channel);
    if (found !== undefined) {
      found.users++;
      return found;
    }
    const watch = { begun: this.#call((id) => [id, 'watch', [channel]]), users: 1 };
    this.#watches.set(channel, watch);
    watch.begun.catch(() => this.#forget(channel, watch));
    return watch;
  }

  #release(channel: string, watch: Watch): void {
    watch.users--;
    if (watch.users === 0 && this.#forget(channel, watch)) this.#queue.add([0, 'unwatch', [channel]]);
  }

  /** True where it was the one in force. */
  #forget(channel: string, watch: Watch): boolean {
    return this.#watches.get(channel) === watch && this.#watches.delete(channel);
  }
}

function hasEnded(): Refused {
  return new Refused('unavailable', 'the store has ended');
}
