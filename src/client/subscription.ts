import type { Member } from '../protocol/replies.js';
import { Emitter } from './emitter.js';
import { EarshotError } from './errors.js';
import type { CallOptions, Clock, Message, SubscribeOptions } from './options.js';
import type { Feed, SubscriptionEvents, SubscriptionState } from './parts/feed.js';
import { Pledge } from './parts/pledge.js';
import { Queue } from './parts/queue.js';

/**
 * A position in a channel, which goes on by itself after each cut. Messages come in order and never twice.
 * What is no longer kept when it comes back is told as a `gap`. Not promised: that a message reaches a
 * listener which throws, or an iterator whose buffer is full.
 *
 * Subscriptions of one client to one channel share one on the wire: one that joins later gets what comes from
 * then on.
 */
export class Subscription<T = unknown> implements AsyncIterable<Message<T>> {
  readonly channel: string;
  readonly #feed: Feed;
  readonly #settings: Clock & { readonly commandTimeoutMs: number };
  readonly #bufferMessages: number;
  readonly #signal: AbortSignal | undefined;
  readonly #events = new Emitter<SubscriptionEvents<T>>();
  #ended = false;
  #error: EarshotError | undefined;
  /** What comes before anyone listens is kept for the first iterator. */
  #early: Queue<Message<T>> | undefined;

  /** Made by `client.subscribe()`. */
  constructor(
    feed: Feed,
    settings: Clock & { readonly commandTimeoutMs: number },
    options: SubscribeOptions,
  ) {
    this.channel = feed.channel;
    this.#feed = feed;
    this.#settings = settings;
    this.#bufferMessages = options.bufferMessages ?? 1024;
    this.#signal = options.signal;
    this.#early = this.#queue();
    this.#events.on('ended', (error) => this.#end(error));
    feed.join(this.#shared);
    this.#signal?.addEventListener('abort', this.#abort);
    if (this.#signal?.aborted) this.#abort();
  }

  get state(): SubscriptionState {
    return this.#ended ? 'ended' : this.#feed.state;
  }

  /** The position to resume with, later or elsewhere; undefined until the server has told one. */
  get offset(): string | undefined {
    return this.#feed.position;
  }

  /** Who is there, at most 1,000 of them; empty unless `presence` was asked for. */
  get members(): readonly Member[] {
    return this.#feed.members;
  }

  /** How many are there in all. */
  get count(): number {
    return this.#feed.count;
  }

  /** Adds a listener; the function that comes back removes it. */
  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void {
    const off = this.#events.on(event, listener);
    if (event === 'message') {
      void this.#early?.return();
      this.#early = undefined;
    }
    return off;
  }

  /** Resolves when subscribed; rejects when the subscription has ended. Without a time limit of its own. */
  async ready(options: CallOptions = {}): Promise<void> {
    if (this.state === 'subscribed') return;
    if (this.#ended) throw this.#error ?? over();
    const pledge = new Pledge<void>(this.#settings, options);
    const offs = [
      this.#events.on('state', (state) => state === 'subscribed' && pledge.resolve()),
      this.#events.on('ended', (error) => pledge.reject(error ?? over())),
    ];
    return pledge.promise.finally(() => {
      for (const off of offs) off();
    });
  }

  /** Ends it at once; resolves when the server knows, or is out of reach. Rejects with `timeout`. */
  async unsubscribe(): Promise<void> {
    if (this.#ended) return;
    const pledge = new Pledge<void>(this.#settings, { timeoutMs: this.#settings.commandTimeoutMs });
    this.#end(undefined);
    this.#feed.leave(this.#shared, () => pledge.resolve());
    this.#events.emit('state', 'ended');
    this.#events.emit('ended', undefined);
    return pledge.promise;
  }

  /**
   * The messages, each once; ends with the subscription, and throws its error. Holds `bufferMessages` that
   * wait to be read, and throws `overflow` after them when there are more. The first iterator also gets what
   * came before it, unless there was a listener for messages.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>> {
    const early = this.#early;
    this.#early = undefined;
    return early ?? this.#queue();
  }

  /** The data of a channel has the type that the application gave it; nothing on the wire checks that. */
  get #shared(): Emitter<SubscriptionEvents> {
    return this.#events as unknown as Emitter<SubscriptionEvents>;
  }

  #queue(): Queue<Message<T>> {
    const queue: Queue<Message<T>> = new Queue(this.#bufferMessages, () => {
      for (const off of offs) off();
    });
    const offs = [
      this.#events.on('message', (message) => queue.push(message)),
      this.#events.on('ended', (error) => queue.end(error)),
    ];
    if (this.#ended) queue.end(this.#error);
    return queue;
  }

  #end(error: EarshotError | undefined): void {
    this.#ended = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = () => {
    // Whether the server answers in time matters to nobody here.
    this.unsubscribe().catch(() => {});
  };
}

function over(): EarshotError {
  return new EarshotError('ended', 'the subscription is over');
}
