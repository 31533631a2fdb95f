import type { StoredMessage } from '../message.js';
import type { Store, Tail } from '../store.js';
import { NewsDesk } from './news-desk.js';
import type { Link } from './send-queue.js';
import { SendQueue } from './send-queue.js';
import type { Asked, Method, Told } from './words.js';
import { faultOf } from './words.js';

type Defer = (run: () => void) => void;

/** Lets other processes share a store: what each of them asks by its link is done here, in the order in which it comes. */
export class StoreHost {
  readonly #store: Store;
  readonly #defer: Defer;
  /** The one that has been here for longest comes first. */
  readonly #guests = new Set<Guest>();

  /** `defer` runs something at the end of this turn of the event loop. */
  constructor(store: Store, defer: Defer) {
    this.#store = store;
    this.#defer = defer;
  }

  /** For one `SharedStore` at the other end. Gives the way to end it, for when that is gone: nothing of it is left then. */
  serve(link: Link): () => void {
    const guest: Guest = new Guest(this.#store, link, this.#defer, () => this.#isEldest(guest));
    this.#guests.add(guest);
    return () => {
      this.#guests.delete(guest);
      guest.end();
    };
  }

  #isEldest(guest: Guest): boolean {
    const [eldest] = this.#guests;
    return eldest === guest;
  }
}

/** That of one channel, and the way to end it as soon as it has begun. */
interface Watch {
  end?: () => void;
}

/** One that shares the store. */
class Guest {
  readonly #store: Store;
  readonly #queue: SendQueue<Told>;
  readonly #desk: NewsDesk;
  /** Whether its upkeep is for all: once is enough. */
  readonly #sweeps: () => boolean;
  readonly #watches = new Map<string, Watch>();
  #hasEnded = false;

  constructor(store: Store, link: Link, defer: Defer, sweeps: () => boolean) {
    this.#store = store;
    this.#sweeps = sweeps;
    this.#queue = new SendQueue(link, defer, () => this.#desk.pass());
    this.#desk = new NewsDesk(this.#queue);
    // what comes is of SharedStore: no other speaks on this link
    link.listen((items) => this.#hear(items as readonly Asked[]));
  }

  end(): void {
    this.#hasEnded = true;
    for (const channel of [...this.#watches.keys()]) this.#unwatch(channel);
  }

  #hear(items: readonly Asked[]): void {
    for (const asked of items) {
      if (this.#hasEnded) return;
      if (asked[1] === 'unwatch') this.#unwatch(asked[2][0]);
      else void this.#answer(asked);
    }
  }

  async #answer(asked: Exclude<Asked, { readonly 1: 'unwatch' }>): Promise<void> {
    const [id] = asked;
    try {
      const value = await this.#do(asked);
      if (!this.#hasEnded) this.#queue.add(['done', id, value]);
    } catch (error) {
      if (!this.#hasEnded) this.#queue.add(['failed', id, faultOf(error)]);
    }
  }

  #do([, method, args]: Exclude<Asked, { readonly 1: 'unwatch' }>): Promise<unknown> {
    if (method === 'watch') return this.#watch(args[0]);
    if (method === 'sweep' && !this.#sweeps()) return Promise.resolve();
    const store: Record<Method, (...args: never) => Promise<unknown>> = this.#store;
    return store[method](...(args as never)); // the two belong together, by `Asked`
  }

  async #watch(channel: string): Promise<void> {
    const watch: Watch = {};
    this.#watches.set(channel, watch);
    try {
      const end = await this.#store.watch(channel, this.#watcherOf(channel));
      if (this.#watches.get(channel) === watch) watch.end = end;
      else end(); // who asked for it has left in the meantime
    } catch (error) {
      if (this.#watches.get(channel) === watch) this.#watches.delete(channel);
      throw error;
    }
  }

  #watcherOf(channel: string) {
    return {
      appended: (message: StoredMessage, epoch: string) =>
        this.#desk.tell(['appended', channel, message, epoch]),
      closed: (tail: Tail) => this.#desk.tell(['closed', channel, tail]),
      deleted: () => this.#desk.tell(['deleted', channel]),
      moved: (tail: Tail) => this.#desk.tell(['moved', channel, tail]),
    };
  }

  /** At once, where it has begun: what comes after it must find it so. */
  #unwatch(channel: string): void {
    const watch = this.#watches.get(channel);
    this.#watches.delete(channel);
    watch?.end?.();
  }
}
