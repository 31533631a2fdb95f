import type { ErrorCode } from '../../protocol/codes.js';
import type { Position } from '../../protocol/offset.js';
import type { Joined, Left, Push } from '../../protocol/pushes.js';
import { Refused } from '../../protocol/refused.js';
import type { Member } from '../../protocol/replies.js';
import type { StoredMessage } from '../../store/message.js';
import type { Page, Store } from '../../store/store.js';
import type { Carrier } from '../carrier.js';
import { MAX_PAGE_BYTES, MAX_WRITE_MESSAGES } from '../limits.js';
import type { Journal, Telemetry } from '../telemetry.js';
import type { Shares } from './shares.js';

const PAGE = { messages: MAX_WRITE_MESSAGES, bytes: MAX_PAGE_BYTES };

/** A session, as its subscriptions see it. */
export interface Subscriber {
  readonly id: string;
  readonly member: Member;
  /** Set where others of the same client come before and after it, as the same member. */
  readonly visit: { readonly leaseMs: number } | undefined;
  readonly carrier: Carrier;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
  /** More in the carrier, and what can wait, waits. */
  readonly maxQueuedBytes: number;
  /** False while more is queued than the peer takes. */
  readonly hasRoom: boolean;
  /** What the carrier's encoding has printed. */
  write(printed: unknown): void;
  /** False where the carrier has no words for it. */
  push(push: Push): boolean;
  /** One of its subscriptions stands at the tail. */
  wentLive(): void;
  /** It takes no more part in the feed; `last` is what the client is told. */
  subscriptionEnded(subscription: Subscription, last: Push | undefined): void;
}

/** A channel's feed, as its subscriptions see it. */
export interface Source {
  readonly channel: string;
  readonly store: Store;
  add(subscription: Subscription): void;
  turn(): Promise<void>;
  /** Runs something when the store may be there again. */
  later(run: () => void): void;
  joins(position: Position): boolean;
  goLive(subscription: Subscription): void;
  end(subscription: Subscription, last?: Push): void;
}

/**
 * A session's position in a channel. It is *joining* until `begin`, and gets nothing; then it is *live* while it stands at the tail and its carrier takes what
 * comes; otherwise it is *catching up*: it reads the log at the pace of its carrier. Joining with history,
 * resuming after a cut and reading slowly are this one thing.
 */
export class Subscription {
  readonly session: Subscriber;
  /** The session's. */
  readonly carrier: Carrier;
  readonly feed: Source;
  /** True where joined and left are to be told. */
  readonly presence: boolean;
  /** The position: after the `seq`-th message of this epoch. */
  epoch: string;
  seq: number;
  /** The same, as peers see it. */
  offset: string;
  /** The last thing it was told, where the feed has ended it. */
  last: Push | undefined;
  state: 'joining' | 'catching up' | 'live' | 'ended' = 'joining';
  /** Where in the feed's list of live subscriptions it stands. */
  liveIndex = -1;
  /** Joined and left that found no room; told when there is some. By session, what cancels out is gone. */
  missed: Map<string, Joined | Left> | undefined;
  #reading = false;
  /** The store was away, and will be asked again. */
  #waits = false;
  readonly #maxQueuedBytes: number;

  constructor(session: Subscriber, feed: Source, presence: boolean, page: Page) {
    this.session = session;
    this.carrier = session.carrier;
    this.#maxQueuedBytes = session.maxQueuedBytes;
    this.feed = feed;
    this.presence = presence;
    this.epoch = page.epoch;
    this.seq = page.seq - page.messages.length;
    this.offset = page.startOffset;
  }

  /** As the session's, without a look at the session: it is asked for each delivery. */
  get hasRoom(): boolean {
    return this.carrier.queuedBytes < this.#maxQueuedBytes;
  }

  get channel(): string {
    return this.feed.channel;
  }

  /** Goes on from the page that the position came from. `untold`: what no reply has said of it. */
  begin(page: Page, untold?: Page['lost']): void {
    if (this.state !== 'joining') return;
    this.state = 'catching up';
    this.feed.add(this);
    if (untold !== undefined && !this.#jump(page, untold)) return;
    if (this.hasRoom) this.#take(page);
    this.catchUp();
  }

  /** Reads on, if that is not under way: after the carrier has drained, or where the feed has a hole. */
  catchUp(): void {
    if (this.#reading || !this.#mayRead) return;
    this.#reading = true;
    this.#readOn()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#reading = false;
        this.catchUp();
      });
  }

  /** A batch of the feed, while live: the whole of it, or what of it is news. */
  deliver(batch: readonly StoredMessage[], from: number, to: number, shares: Shares): void {
    const share = shares.of(this.carrier);
    this.offset = batch.at(-1)?.offset ?? this.offset;
    if (this.seq === from) {
      share.give(this);
      this.seq = to;
      share.delivered += batch.length;
      return;
    }
    const news = batch.filter((message) => message.seq > this.seq);
    this.#write(news, true);
    this.seq = Math.max(this.seq, to);
    share.delivered += news.length;
  }

  get #mayRead(): boolean {
    return this.state === 'catching up' && !this.#waits && this.hasRoom;
  }

  /** A page that finds no room when it comes is read again later: what waits for a slow reader is its position. */
  async #readOn(): Promise<void> {
    while (this.#mayRead) {
      const page = await this.feed.store.read(this.channel, this, PAGE);
      if (!this.#mayRead) return;
      this.#take(page);
      if (this.#mayRead) await this.feed.turn();
    }
  }

  /** No await from here to going live: nothing can be published in between. */
  #take(page: Page): void {
    if (page.lost !== undefined && !this.#beginsAt(page) && !this.#jump(page, page.lost)) return;
    this.#write(page.messages, page.upToDate);
    this.session.telemetry.messagesOut(this.carrier.transport, page.messages.length);
    this.epoch = page.epoch;
    this.seq = page.seq;
    this.offset = page.offset;
    if (!page.upToDate) return;
    if (page.closed) this.feed.end(this, { type: 'closed', channel: this.channel, offset: page.offset });
    else if (this.feed.joins(this)) this.feed.goLive(this);
  }

  /** True where the position came from this very page. */
  #beginsAt({ epoch, seq, messages }: Page): boolean {
    return epoch === this.epoch && seq - messages.length === this.seq;
  }

  /** Tells of a gap. Where the carrier can't, the subscription ends (false): never a hole that nobody is told of. */
  #jump({ startOffset: offset }: Page, reason: 'retention' | 'reset'): boolean {
    this.session.telemetry.gap(reason);
    const told = this.session.push({ type: 'gap', channel: this.channel, offset, reason });
    if (!told) this.feed.end(this, { type: 'unsubscribed', channel: this.channel, code: 'gone' });
    return told;
  }

  #write(messages: readonly StoredMessage[], upToDate: boolean): void {
    if (messages.length > 0)
      this.session.write(this.carrier.encoding.messages(this.channel, messages, upToDate));
  }

  /** A store that is away is asked again. Where the log can't be read, the subscription ends in words, and the client comes back for it. */
  #fail(error: unknown): void {
    if (error instanceof Refused && error.code === 'unavailable') {
      this.#waits = true;
      this.feed.later(() => {
        this.#waits = false;
        this.catchUp();
      });
      return;
    }
    const code: ErrorCode = error instanceof Refused ? error.code : 'internal';
    if (!(error instanceof Refused))
      this.session.journal.error(error, { session: this.session.id, channel: this.channel });
    this.feed.end(this, { type: 'unsubscribed', channel: this.channel, code });
  }
}
