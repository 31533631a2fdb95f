import type { SessionLimits } from '../../protocol/pushes.js';
import { NOW } from '../../protocol/version.js';
import type { BackoffBounds } from '../backoff.js';
import { EarshotError } from '../errors.js';
import type { Clock } from '../options.js';
import type { ChannelEnvelope, FeedHost } from './feed.js';
import { Feed } from './feed.js';
import type { Requests } from './requests.js';

/** The feeds of a client, by channel. */
export class Feeds {
  readonly #host: FeedHost;
  readonly #feeds = new Map<string, Feed>();
  #maxSubscriptions = Infinity;

  constructor(settings: Clock & BackoffBounds, requests: Requests) {
    const release = (feed: Feed) => {
      if (this.#feeds.get(feed.channel) === feed) this.#feeds.delete(feed.channel);
    };
    this.#host = { ...settings, requests, connected: false, release };
  }

  /** The feed of the channel, which may be shared. Throws `conflict` where it stands elsewhere. */
  open(channel: string, offset: string, presence: boolean): Feed {
    const shared = this.#feeds.get(channel);
    if (shared === undefined) {
      const feed = new Feed(this.#host, channel, offset, presence);
      this.#feeds.set(channel, feed);
      return feed;
    }
    if (offset !== NOW && offset !== shared.offset)
      throw new EarshotError('conflict', `${channel} is subscribed and stands at another offset`);
    if (presence && !shared.presence) shared.askForPresence();
    return shared;
  }

  /** Begins a feed that was just opened. A refusal comes a moment later, when there may be listeners. */
  begin(feed: Feed): void {
    if (feed.isAsked) return;
    if (this.#feeds.size <= this.#maxSubscriptions) feed.ask();
    else queueMicrotask(() => this.#refuse(feed));
  }

  take(push: ChannelEnvelope): void {
    this.#feeds.get(push.channel)?.take(push);
  }

  connected({ maxSubscriptions }: SessionLimits): void {
    this.#host.connected = true;
    this.#maxSubscriptions = maxSubscriptions;
    [...this.#feeds.values()].forEach((feed, index) => {
      if (index < maxSubscriptions) feed.ask();
      else this.#refuse(feed);
    });
  }

  dropped(): void {
    this.#host.connected = false;
    for (const feed of [...this.#feeds.values()]) feed.dropped();
  }

  ended(error: EarshotError | undefined): void {
    this.#host.connected = false;
    for (const feed of [...this.#feeds.values()]) feed.end(error);
  }

  /** One more than the server allows is refused here: to ask for it would cost the session. */
  #refuse(feed: Feed): void {
    const message = `a session has at most ${this.#maxSubscriptions} subscriptions`;
    feed.end(new EarshotError('too_many', message, 'retry'));
  }
}
