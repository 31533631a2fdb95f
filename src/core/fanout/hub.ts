import type { Start } from '../../protocol/offset.js';
import type { Page, Store } from '../../store/store.js';
import { MAX_PAGE_BYTES, MAX_WRITE_MESSAGES } from '../limits.js';
import type { FeedTimes } from './feed.js';
import { Feed } from './feed.js';
import type { Subscriber } from './subscription.js';
import { Subscription } from './subscription.js';

const FIRST_PAGE = { messages: MAX_WRITE_MESSAGES, bytes: MAX_PAGE_BYTES };

interface Entry {
  readonly feed: Feed;
  readonly opened: Promise<void>;
  /** Subscriptions, and those about to be. */
  users: number;
}

/** This process's fan-out: a feed for each channel that somebody here is subscribed to, and for no other. */
export class Hub {
  readonly #store: Store;
  readonly #timesOf: (channel: string) => FeedTimes;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store, timesOf: (channel: string) => FeedTimes) {
    this.#store = store;
    this.#timesOf = timesOf;
  }

  /** Channels that somebody on this node is subscribed to. */
  get channels(): number {
    return this.#entries.size;
  }

  /** On this node. */
  subscriptionsOf(channel: string): number {
    return this.#entries.get(channel)?.feed.size ?? 0;
  }

  /**
   * A subscription at `start`, and the page of the log that follows it. It gets nothing before
   * `subscription.begin(page)`, so that the reply can go first.
   */
  async subscribe(
    session: Subscriber,
    channel: string,
    start: Start,
    presence: boolean,
  ): Promise<{ subscription: Subscription; page: Page }> {
    const entry = this.#use(channel);
    try {
      await entry.opened;
      const page = await this.#store.read(channel, start, FIRST_PAGE);
      return { subscription: new Subscription(session, entry.feed, presence, page), page };
    } catch (error) {
      this.#release(channel, entry);
      throw error;
    }
  }

  /** To be called once for each subscription that ended. */
  ended(subscription: Subscription): void {
    const entry = this.#entries.get(subscription.channel);
    if (entry?.feed === subscription.feed) this.#release(subscription.channel, entry);
  }

  #use(channel: string): Entry {
    const found = this.#entries.get(channel);
    if (found !== undefined) {
      found.users++;
      return found;
    }
    const feed = new Feed(channel, this.#store, this.#timesOf(channel));
    const entry: Entry = { feed, opened: feed.open(), users: 1 };
    this.#entries.set(channel, entry);
    return entry;
  }

  #release(channel: string, entry: Entry): void {
    entry.users--;
    if (entry.users > 0) return;
    this.#entries.delete(channel);
    entry.feed.stop();
  }
}
