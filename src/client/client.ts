import type { Bye, Envelope, Welcome } from '../protocol/pushes.js';
import type { Authenticated, Member, Reply } from '../protocol/replies.js';
import { NOW } from '../protocol/version.js';
import { Emitter } from './emitter.js';
import { EarshotError, errorOf } from './errors.js';
import type {
  CallOptions,
  DirectMessage,
  HistoryOptions,
  HistoryPage,
  PublishOptions,
  PublishResult,
  Session,
  Settings,
  StateInfo,
  SubscribeOptions,
} from './options.js';
import type { ReplyOf } from './parts/calls.js';
import { Calls } from './parts/calls.js';
import { Connection } from './parts/connection.js';
import { Credentials } from './parts/credentials.js';
import { Feeds } from './parts/feeds.js';
import { Pledge } from './parts/pledge.js';
import type { CommandFields } from './parts/requests.js';
import { Requests, writer } from './parts/requests.js';
import { Publisher, toJson } from './publisher.js';
import type { ConnectionState } from './state.js';
import { Subscription } from './subscription.js';

/** What a client tells, with the arguments of its listeners. */
export interface ClientEvents {
  /** After each change; the `connecting` that a client begins with is none. */
  state: [state: ConnectionState, info: StateInfo];
  /** On every connection, when its session has begun. */
  welcome: [session: Session];
  /** What the server said to this session alone. */
  direct: [message: DirectMessage];
  /** What belongs to no promise: the token function failed, a frame of ours was no envelope, the end for good. */
  error: [error: EarshotError];
  /** The server is about to close the connection, and says what to do. */
  bye: [bye: Pick<Bye, 'code' | 'advice' | 'afterMs'>];
}

/** The channels that a client knows, by name; names may be template literals. */
export type ChannelName<Channels> = keyof Channels & string;

/** How many commands may be without an answer. */
const MAX_WAITING = 1000;

/**
 * A client: one connection that comes back by itself, and what goes over it. Every call may be made at any
 * time; what needs a connection waits for one, until its time is over. Every promise rejects with an
 * `EarshotError`: the server's, or `timeout`, `aborted`, `overflow` (1,000 commands wait already),
 * `closed_by_client`.
 */
export class Client<Channels extends object = Record<string, unknown>> {
  readonly #settings: Settings;
  readonly #credentials: Credentials;
  readonly #connection: Connection;
  readonly #events = new Emitter<ClientEvents>();
  readonly #requests = new Requests((text) => this.#connection.send(text));
  readonly #calls: Calls;
  readonly #publisher: Publisher;
  readonly #feeds: Feeds;
  #session: Session | undefined;
  #end: EarshotError | undefined;

  /** Made by `connect()`. */
  constructor(settings: Settings) {
    this.#settings = settings;
    this.#credentials = new Credentials(settings.token);
    this.#calls = new Calls(settings, this.#requests);
    this.#publisher = new Publisher(settings, this.#requests);
    this.#feeds = new Feeds(settings, this.#requests);
    this.#connection = new Connection(settings, this.#credentials, {
      welcomed: (welcome) => this.#welcomed(welcome),
      received: (envelope) => this.#received(envelope),
      dropped: () => this.#dropped(),
      changed: (state, info) => this.#events.emit('state', state, info),
      said: ({ type: _, ...bye }) => this.#events.emit('bye', bye),
      failed: (error) => this.#events.emit('error', error),
      ended: (error) => this.#ended(error),
    });
    this.#connection.dispatch({ type: 'reconnect' });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Of the last connection; undefined before the first welcome. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Adds a listener; the function that comes back removes it. */
  on<K extends keyof ClientEvents>(event: K, listener: (...args: ClientEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Resolves when connected; rejects when closed for good. Without a time limit of its own. */
  async ready(options: CallOptions = {}): Promise<void> {
    if (this.state === 'connected') return;
    if (this.#end) throw this.#end;
    const pledge = new Pledge<void>(this.#settings, options);
    const off = this.on('state', (state) => {
      if (state === 'connected') pledge.resolve();
      else if (this.#end) pledge.reject(this.#end);
    });
    return pledge.promise.finally(off);
  }

  /**
   * Subscribes, now or as soon as there's a connection. Throws `conflict` where the channel is subscribed
   * already and stands at another offset than the one asked for; `now` always joins.
   */
  subscribe<Name extends ChannelName<Channels>>(
    channel: Name,
    options: SubscribeOptions = {},
  ): Subscription<Channels[Name]> {
    if (this.#end) throw this.#end;
    const feed = this.#feeds.open(channel, options.offset ?? NOW, options.presence ?? false);
    const subscription = new Subscription<Channels[Name]>(feed, this.#settings, options);
    this.#feeds.begin(feed);
    return subscription;
  }

  /**
   * Publishes; resolves when the message is stored. In order within the channel and, unless `once` is false,
   * stored once however often the connection is cut. A call that is given up (`timeout`, `aborted`) after it
   * was sent may be stored all the same. Rejects with `disconnected` where `once` is false and the
   * connection is cut before the answer. Not promised: once beyond what the server remembers of a producer.
   */
  async publish<Name extends ChannelName<Channels>>(
    channel: Name,
    data: Channels[Name],
    options: PublishOptions = {},
  ): Promise<PublishResult> {
    const dataText = toJson(data);
    const bounded = this.#bounded(options);
    if (options.once ?? true) return this.#publisher.publish(channel, dataText, bounded);
    const write = (id: number) =>
      `{"type":"publish","id":${id},"channel":${JSON.stringify(channel)},"data":${dataText}}`;
    const { offset, duplicate } = await this.#calls.call<'published'>(write, bounded, false);
    return { offset, duplicate };
  }

  /** A page of what is kept of the channel, oldest first. */
  async history<Name extends ChannelName<Channels>>(
    channel: Name,
    options: HistoryOptions = {},
  ): Promise<HistoryPage<Channels[Name]>> {
    const { offset, limit } = options;
    const answer = await this.#call<'history'>({ type: 'history', channel, offset, limit }, options);
    // The data of a channel has the type that the application gave it; nothing on the wire checks that.
    const messages = answer.messages as HistoryPage<Channels[Name]>['messages'];
    return { messages, offset: answer.offset, upToDate: answer.upToDate };
  }

  /** Who is in the channel: at most 1,000 of them, and how many in all. */
  async presence(
    channel: ChannelName<Channels>,
    options: CallOptions = {},
  ): Promise<{ readonly members: readonly Member[]; readonly count: number }> {
    const { members, count } = await this.#call<'presence'>({ type: 'presence', channel }, options);
    return { members, count };
  }

  /** Renews the session in place with a token; without one, with what the token function gives. */
  async authenticate(
    token?: string,
    options: CallOptions = {},
  ): Promise<Pick<Authenticated, 'user' | 'expiresAt'>> {
    const fresh = token ?? (await this.#credentials.fresh());
    if (fresh === undefined) throw new EarshotError('unauthenticated', 'there is no token', 'refresh');
    const command = { type: 'authenticate', token: fresh } as const;
    const { user, expiresAt } = await this.#call<'authenticated'>(command, options);
    this.#credentials.adopt(fresh);
    return { user, expiresAt };
  }

  /** Cuts the connection, if there is one, and comes back at once. */
  reconnect(): void {
    this.#connection.dispatch({ type: 'reconnect' });
  }

  /** Cuts the connection and waits for `reconnect()`. Subscriptions keep their positions. */
  disconnect(): void {
    this.#connection.dispatch({ type: 'disconnect' });
  }

  /** Comes back at once if it waits for its next attempt; if connected, makes sure that it still is. */
  wake(): void {
    this.#connection.wake();
  }

  /** Ends everything, for good: promises reject with `closed_by_client`, subscriptions end. */
  close(): void {
    this.#connection.dispatch({ type: 'close' });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #call<K extends Reply['type']>(command: CommandFields, options: CallOptions): Promise<ReplyOf<K>> {
    return this.#calls.call(writer(command), this.#bounded(options));
  }

  /** The call's bounds, where there is room for one more. */
  #bounded({ signal, timeoutMs = this.#settings.commandTimeoutMs }: CallOptions): CallOptions {
    if (this.#end) throw this.#end;
    if (this.#calls.size + this.#publisher.size >= MAX_WAITING)
      throw new EarshotError('overflow', `${MAX_WAITING} commands wait for their answers`, 'retry');
    return { signal, timeoutMs };
  }

  /** Subscriptions first, so that they hear what is published next. */
  #welcomed({ session, name, user, limits, pingIntervalMs }: Welcome): void {
    this.#session = { session, name, user, limits, pingIntervalMs };
    this.#feeds.connected(limits);
    this.#publisher.connected(limits);
    this.#calls.connected(limits);
    this.#events.emit('welcome', this.#session);
  }

  #received(envelope: Envelope): void {
    if ('id' in envelope && envelope.id !== undefined) this.#requests.answered(envelope.id, envelope);
    else if (envelope.type === 'error') this.#events.emit('error', errorOf(envelope));
    else if ('channel' in envelope) this.#feeds.take(envelope);
    else if (envelope.type === 'direct') this.#events.emit('direct', envelope);
  }

  #dropped(): void {
    this.#feeds.dropped();
    this.#publisher.dropped();
    this.#calls.dropped();
    this.#requests.dropped();
  }

  #ended(error: EarshotError | undefined): void {
    this.#end = error ?? new EarshotError('closed_by_client', 'the client was closed');
    this.#publisher.ended(this.#end);
    this.#calls.ended(this.#end);
    this.#feeds.ended(error);
    if (error) this.#events.emit('error', error);
  }
}
