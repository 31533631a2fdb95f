import type { Position } from '../../protocol/offset.js';
import type { Push } from '../../protocol/pushes.js';
import type { StoredMessage } from '../../store/message.js';
import type { Store, Tail, Watcher } from '../../store/store.js';
import { MAX_BATCH_BYTES, MAX_WRITE_MESSAGES } from '../limits.js';
import { Shares } from './shares.js';
import type { Source, Subscription } from './subscription.js';

/** Runs something after this. */
export type Defer = (run: () => void) => void;

/** When a feed does what is not done at once. */
export interface FeedTimes {
  /** At the end of this turn of the event loop. */
  readonly defer: Defer;
  /** When messages have gathered for long enough. */
  readonly gather: Defer;
  /** When a store that was away may be there again. */
  readonly later: Defer;
}

/**
 * One channel on this node: it hears of the channel's messages and hands them to the subscriptions that are
 * live. What one turn of the event loop brings, or as many ms as the channel's rule says, is printed once for each
 * encoding and leaves in one write a reader. Announcements may be lost: where the next one doesn't join, the live ones read the log.
 */
export class Feed implements Source, Watcher {
  readonly channel: string;
  readonly store: Store;
  readonly #subscriptions = new Set<Subscription>();
  /** Runs at the end of this turn of the event loop. */
  readonly #defer: Defer;
  /** Runs when messages have gathered for long enough. */
  readonly #gather: Defer;
  readonly #live: Subscription[] = [];
  #epoch = '';
  /** Of the last message that was handed to the live ones, or would have been. */
  #seq = 0;
  #pending: StoredMessage[] = [];
  #pendingBytes = 0;
  /** Of the flush that is under way. */
  #shares: Shares | undefined;
  #unwatch: (() => void) | undefined;

  /** Runs when a store that was away may be there again. */
  readonly later: Defer;

  constructor(channel: string, store: Store, { defer, gather, later }: FeedTimes) {
    this.channel = channel;
    this.store = store;
    this.#defer = defer;
    this.#gather = gather;
    this.later = later;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** Listens first and looks for the tail then, so that nothing can fall between. */
  async open(): Promise<void> {
    this.#unwatch = await this.store.watch(this.channel, this);
    const tail = await this.store.open(this.channel);
    if (this.#epoch === '') this.#startOver(tail.epoch, tail.seq);
  }

  stop(): void {
    this.#unwatch?.();
  }

  /** The end of this turn of the event loop: a long catching up lets the others work. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#defer(resolve));
  }

  /**
   * True where nothing that was handed out already is missing after this position. A later epoch than the
   * feed has heard of is the log's word against an announcement that was lost.
   */
  joins(position: Position): boolean {
    if (position.epoch > this.#epoch) this.#startOver(position.epoch, position.seq);
    return position.epoch === this.#epoch && position.seq >= this.#seq;
  }

  add(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
  }

  goLive(subscription: Subscription): void {
    subscription.state = 'live';
    subscription.liveIndex = this.#live.push(subscription) - 1;
    subscription.session.wentLive();
  }

  /** Ends a subscription with the last thing it is told, if anything. */
  end(subscription: Subscription, last?: Push): void {
    if (subscription.state === 'ended') return;
    if (last !== undefined) this.#shares?.send(); // what it was given comes before
    if (subscription.state === 'live') this.#leaveLive(subscription);
    subscription.state = 'ended';
    subscription.last = last;
    this.#subscriptions.delete(subscription);
    subscription.session.subscriptionEnded(subscription, last);
  }

  appended(message: StoredMessage, epoch: string): void {
    const last = this.#pending.at(-1)?.seq ?? this.#seq;
    if (epoch < this.#epoch || (epoch === this.#epoch && message.seq <= last)) return;
    if (epoch !== this.#epoch || message.seq !== last + 1) this.#startOver(epoch, message.seq);
    else if (this.#live.length === 0 && this.#pending.length === 0) this.#seq = message.seq;
    else this.#collect(message);
  }

  closed(tail: Tail): void {
    this.#startOver(tail.epoch, tail.seq);
  }

  moved(tail: Tail): void {
    const last = this.#pending.at(-1)?.seq ?? this.#seq;
    if (tail.epoch < this.#epoch || (tail.epoch === this.#epoch && tail.seq <= last && !tail.closed)) return;
    this.#startOver(tail.epoch, tail.seq);
  }

  deleted(): void {
    // later than the life that ended, earlier than any that follows
    if (this.#epoch !== '') this.#startOver(`${this.#epoch}~`, 0);
    for (const subscription of [...this.#subscriptions]) {
      this.end(subscription, { type: 'unsubscribed', channel: this.channel, code: 'gone' });
    }
  }

  /** Waits, unless what has gathered is a write of its own already. */
  #collect(message: StoredMessage): void {
    this.#pendingBytes += message.data.length;
    const count = this.#pending.push(message);
    if (count === 1) this.#gather(() => this.#flush());
    if (this.#pendingBytes >= MAX_BATCH_BYTES || count >= MAX_WRITE_MESSAGES) this.#flush();
  }

  /** The next to come is after this position; who is live finds out from the log what lies between. */
  #startOver(epoch: string, seq: number): void {
    this.#flush();
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#epoch = epoch;
    this.#seq = seq;
    for (const subscription of [...this.#live]) this.#fallBack(subscription);
  }

  #fallBack(subscription: Subscription): void {
    this.#leaveLive(subscription);
    subscription.state = 'catching up';
    subscription.catchUp();
  }

  /** The last takes the place of the one that leaves. */
  #leaveLive(subscription: Subscription): void {
    const last = this.#live.pop();
    if (last === undefined || last === subscription) return;
    this.#live[subscription.liveIndex] = last;
    last.liveIndex = subscription.liveIndex;
  }

  /** Whom a write ends may have listeners, and those may publish: what they bring waits for the next flush. */
  #flush(): void {
    const batch = this.#pending;
    const to = batch.at(-1)?.seq;
    if (to === undefined || this.#shares !== undefined) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const from = this.#seq;
    this.#seq = to;
    const shares = new Shares(this.channel, batch);
    this.#shares = shares;
    try {
      this.#handOut(shares, batch, from, to);
      shares.send();
    } finally {
      this.#shares = undefined;
    }
    this.#count(shares);
  }

  #handOut(shares: Shares, batch: readonly StoredMessage[], from: number, to: number): void {
    // From the end: the one that falls behind leaves its place to one that was served.
    for (let at = this.#live.length - 1; at >= 0; at--) {
      const subscription = this.#live[at];
      if (subscription === undefined) continue;
      if (subscription.hasRoom) subscription.deliver(batch, from, to, shares);
      else {
        subscription.session.telemetry.fellBehind();
        this.#fallBack(subscription);
      }
    }
  }

  #count(shares: Shares): void {
    const [anyone] = this.#subscriptions;
    if (anyone === undefined) return;
    for (const { transport, delivered } of shares) anyone.session.telemetry.messagesOut(transport, delivered);
  }
}
