import type { Envelope, Gap, Joined, Left, MessagePush } from '../../protocol/pushes.js';
import type { Member, Subscribed } from '../../protocol/replies.js';
import { NOW } from '../../protocol/version.js';
import type { BackoffBounds } from '../backoff.js';
import { backoffMs } from '../backoff.js';
import type { Emitter } from '../emitter.js';
import { EarshotError, errorOf } from '../errors.js';
import type { Clock, Message } from '../options.js';
import type { Answer, Requests } from './requests.js';

export type SubscriptionState = 'subscribing' | 'subscribed' | 'ended';

/** What a subscription tells, with the arguments of its listeners. */
export interface SubscriptionEvents<T = unknown> {
  message: [message: Message<T>];
  /** After each `subscribed`: how the resume went, and where the subscription stands. */
  resumed: [{ readonly resume: Subscribed['resume']; readonly offset: string }];
  /** Messages before `offset` won't come. Also told after a resume that was `lost`. */
  gap: [{ readonly offset: string; readonly reason: Gap['reason'] }];
  joined: [member: Member];
  left: [member: Member, cause: Left['cause']];
  /** After any change of the members. */
  members: [members: readonly Member[]];
  /** Nothing will ever follow in this channel; `ended` comes next. */
  closed: [{ readonly offset: string }];
  state: [state: SubscriptionState];
  /** The last event; with an error unless it was asked for or the channel was closed. */
  ended: [error: EarshotError | undefined];
}

/** What the subscriptions of a client share. */
export interface FeedHost extends Clock, BackoffBounds {
  readonly requests: Requests;
  connected: boolean;
  /** The feed takes no part any more. */
  release(feed: Feed): void;
}

/** What may be about one channel. */
export type ChannelEnvelope = Extract<Envelope, { channel: string }>;

/** The codes of an end that passes: the server could not go on just then, and the client asks again. */
const PASSING: readonly string[] = ['internal', 'unavailable', 'draining', 'rate_limited'];

/** The one subscription that a client has to a channel on the wire, whoever shares it; and its position. */
export class Feed {
  readonly channel: string;
  state: SubscriptionState = 'subscribing';
  /** What to ask for; from the first `subscribed` on, a position. */
  offset: string;
  presence: boolean;
  members: readonly Member[] = [];
  count = 0;
  readonly #host: FeedHost;
  readonly #sharers = new Set<Emitter<SubscriptionEvents>>();
  /** Of the subscribe under way; the answer to any other is of no interest. */
  #commandId: number | undefined;
  #failures = 0;
  #retry: unknown;

  constructor(host: FeedHost, channel: string, offset: string, presence: boolean) {
    this.#host = host;
    this.channel = channel;
    this.offset = offset;
    this.presence = presence;
  }

  /** The position, once there is one. */
  get position(): string | undefined {
    return this.offset === NOW ? undefined : this.offset;
  }

  /** Whether a subscribe is under way or answered. */
  get isAsked(): boolean {
    return this.state === 'subscribed' || this.#commandId !== undefined;
  }

  join(sharer: Emitter<SubscriptionEvents>): void {
    this.#sharers.add(sharer);
  }

  /** The last to leave unsubscribes; `done` is called when the server has said so, or can't any more. */
  leave(sharer: Emitter<SubscriptionEvents>, done: () => void): void {
    this.#sharers.delete(sharer);
    const isLast = this.#sharers.size === 0;
    const asked = isLast && this.#host.connected && this.isAsked;
    if (isLast) this.end();
    if (asked) this.#host.requests.ask({ type: 'unsubscribe', channel: this.channel }, done);
    else done();
  }

  /** Subscribes at the offset, where there's a connection. */
  ask(): void {
    this.#host.clearTimer(this.#retry);
    if (!this.#host.connected || this.state === 'ended') return;
    const { channel, offset, presence } = this;
    const command = { type: 'subscribe', channel, offset, presence: presence || undefined } as const;
    this.#commandId = this.#host.requests.ask(command, (answer, id) => {
      if (id === this.#commandId) this.#answered(answer);
    });
  }

  /** Subscribes anew, for now the members are wanted too. */
  askForPresence(): void {
    this.presence = true;
    if (!this.isAsked || !this.#host.connected) return;
    this.dropped();
    this.#host.requests.ask({ type: 'unsubscribe', channel: this.channel }, () => {});
    this.ask();
  }

  dropped(): void {
    this.#host.clearTimer(this.#retry);
    this.#commandId = undefined;
    if (this.state === 'subscribed') this.#become('subscribing');
  }

  end(error?: EarshotError): void {
    if (this.state === 'ended') return;
    this.#host.clearTimer(this.#retry);
    this.#commandId = undefined;
    this.#become('ended');
    this.#host.release(this);
    this.#tell('ended', error);
  }

  /** What comes while a subscribe is under way belongs to an earlier subscription, and will come again. */
  take(push: ChannelEnvelope): void {
    if (this.state !== 'subscribed') return;
    switch (push.type) {
      case 'message':
        this.#takeMessage(push);
        break;
      case 'joined':
      case 'left':
        this.#takeMember(push);
        break;
      case 'gap':
        if (push.reason === 'reset' || push.offset > this.offset) this.offset = push.offset;
        this.#tell('gap', { offset: push.offset, reason: push.reason });
        break;
      case 'closed':
        this.offset = push.offset;
        this.#tell('closed', { offset: push.offset });
        this.end();
        break;
      case 'unsubscribed':
        if ('code' in push) this.#refused(unsubscribedBy(push.code));
    }
  }

  /** Offsets sort by their bytes; what isn't after the position was seen before. */
  #takeMessage({ type: _, ...message }: MessagePush): void {
    if (message.offset <= this.offset) return;
    this.offset = message.offset;
    this.#tell('message', message);
  }

  #takeMember(push: Joined | Left): void {
    const { member } = push;
    const others = this.members.filter(({ session }) => session !== member.session);
    const isKnown = others.length < this.members.length;
    if (push.type === 'joined') {
      this.members = [...others, member];
      if (!isKnown) this.count++;
      this.#tell('joined', member);
    } else {
      this.members = others;
      this.count = Math.max(others.length, this.count - 1);
      this.#tell('left', member, push.cause);
    }
    this.#tell('members', this.members);
  }

  #answered(answer: Answer | undefined): void {
    if (answer?.type === 'error') this.#refused(errorOf(answer));
    else if (answer?.type === 'subscribed') this.#subscribed(answer);
  }

  #subscribed({ resume, offset, members, count }: Subscribed): void {
    this.#failures = 0;
    // A complete resume goes on from where we asked.
    if (resume !== 'complete') this.offset = offset;
    this.#become('subscribed');
    this.#tell('resumed', { resume, offset });
    if (resume === 'lost') this.#tell('gap', { offset, reason: 'retention' });
    if (members === undefined) return;
    this.members = members;
    this.count = count ?? members.length;
    this.#tell('members', members);
  }

  /** Above the limit of subscriptions asking again would only cost the session. */
  #refused(error: EarshotError): void {
    if (error.advice !== 'retry' || error.code === 'too_many') {
      this.end(error);
      return;
    }
    this.dropped();
    const ms = backoffMs(++this.#failures, this.#host, this.#host.random());
    this.#retry = this.#host.setTimer(() => this.ask(), ms);
  }

  #become(state: SubscriptionState): void {
    this.state = state;
    this.#tell('state', state);
  }

  #tell<K extends keyof SubscriptionEvents>(event: K, ...args: SubscriptionEvents[K]): void {
    for (const sharer of [...this.#sharers]) sharer.emit(event, ...args);
  }
}

function unsubscribedBy(code: string): EarshotError {
  const advice = PASSING.includes(code) ? 'retry' : 'never';
  return new EarshotError(code, 'the server ended the subscription', advice);
}
