import type { CloseName, ErrorCode } from '../../protocol/codes.js';
import { CLOSES } from '../../protocol/codes.js';
import type { CommandType } from '../../protocol/commands.js';
import { errorPush } from '../../protocol/encode.js';
import type { LeftCause, Push } from '../../protocol/pushes.js';
import type { Member } from '../../protocol/replies.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import type { Carrier } from '../carrier.js';
import type { Requester } from '../commands/context.js';
import { tellMissed } from '../fanout/presence.js';
import type { Subscriber, Subscription } from '../fanout/subscription.js';
import type { Actor } from '../hooks.js';
import type { Limits } from '../limits.js';
import { ownLimits, STRIKES, toldLimits } from '../limits.js';
import type { Identity } from '../policy/policy.js';
import { describeLimit, takeCommand, takeMore } from '../quota/meter.js';
import type { Exceeded } from '../quota/quota.js';
import { isBounded, Quota } from '../quota/quota.js';
import { RateLimit } from '../quota/rate.js';
import type { Journal, Telemetry } from '../telemetry.js';
import type { Job, Release } from './inbox.js';
import { Inbox } from './inbox.js';
import type { LivenessTimes } from './liveness.js';
import { Liveness } from './liveness.js';

/** How the server ends a session. */
export interface Ending {
  readonly close: CloseName;
  readonly code: ErrorCode;
  readonly cause: LeftCause;
  /** For what is to be tried again: the time within which the client picks when. */
  readonly afterMs?: readonly [number, number];
}

/** A stay that is one of several of the same client: its requests, one after the other. */
export interface Visit {
  /** Whose they are, as members of channels are known. */
  readonly member: string;
  /** How long it stays a member after this one, in ms. */
  readonly leaseMs: number;
}

/** The node, as its sessions see it. */
export interface SessionHost {
  readonly limits: Limits;
  readonly times: LivenessTimes;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
  /** ms since 1970. */
  now(): number;
  /** ms that only ever grow, with fractions. */
  uptimeMs(): number;
  random(): number;
  /** The number of this turn of the event loop. */
  readonly turn: number;
  /** Runs at the end of this turn of the event loop. */
  defer(run: () => void): void;
  /** Carries out a command and answers it. Never rejects. */
  run(session: Session, job: Job, release: Release): Promise<void>;
  subscribed(subscription: Subscription): void;
  /** `cause` is undefined for one that ended before it began. */
  unsubscribed(subscription: Subscription, cause: LeftCause | undefined): void;
  /** The session holds nothing any more. */
  gone(session: Session, cause: LeftCause): void;
  /** Ends its time then, unless it has ended before; in ms of uptimeMs. */
  timeUpAt(session: Session, atMs: number): () => void;
  /** What bounds somebody besides a session's own limits. */
  quotas(user: string | null, address: string): Quota[];
}

/** One client's admitted stay: its identity, its subscriptions, and what it may still send. */
export class Session implements Requester, Subscriber {
  readonly id: string;
  readonly host: SessionHost;
  readonly carrier: Carrier;
  /** The peer's address, as admission saw it. */
  readonly address: string;
  readonly beganAt: number;
  readonly subscriptions = new Map<string, Subscription>();
  readonly inbox: Inbox;
  /** What bounds it besides its commands: more of its own, its user's, its address's. Empty where nothing does. */
  readonly quotas: readonly Quota[];
  identity: Identity;
  ended = false;
  readonly #rate: RateLimit;
  readonly #liveness: Liveness;
  readonly #strikes = { badEnvelope: 0, tooManySubscriptions: 0, rateLimited: 0 };
  readonly visit: Visit | undefined;
  #takeBackTime: () => void = () => {};
  #paused = false;
  /** Not all of its subscriptions are there yet, or any more. */
  #assembling = false;
  #leftBecause: LeftCause = 'unsubscribed';

  constructor(
    host: SessionHost,
    id: string,
    identity: Identity,
    carrier: Carrier,
    address: string,
    visit?: Visit,
  ) {
    this.host = host;
    this.visit = visit;
    this.id = id;
    this.identity = identity;
    this.carrier = carrier;
    this.address = address;
    this.beganAt = host.now();
    this.inbox = new Inbox(this);
    this.quotas = [...ownQuota(host.limits), ...host.quotas(identity.user, address)];
    const uptimeMs = host.uptimeMs();
    this.#rate = new RateLimit(host.limits.commandBurst, uptimeMs);
    this.#liveness = new Liveness(uptimeMs, host.times, host.random());
  }

  get member(): Member {
    const { user, name } = this.identity;
    return { session: this.visit?.member ?? this.id, user, name };
  }

  get telemetry(): Telemetry {
    return this.host.telemetry;
  }

  get journal(): Journal {
    return this.host.journal;
  }

  get actor(): Actor {
    return { caller: this.identity, session: this.id, address: this.address };
  }

  /** False while more is queued than the peer takes: what can wait, waits. */
  get hasRoom(): boolean {
    return this.carrier.queuedBytes < this.maxQueuedBytes;
  }

  get maxQueuedBytes(): number {
    return this.host.limits.maxQueuedBytes;
  }

  write(printed: unknown): void {
    if (!this.ended) this.carrier.write(printed);
  }

  push(push: Push): boolean {
    const printed = this.carrier.encoding.push(push);
    if (printed !== undefined) this.write(printed);
    return printed !== undefined;
  }

  reply(text: string): void {
    const printed = this.carrier.encoding.reply(text);
    if (printed !== undefined) this.write(printed);
  }

  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void {
    this.push(errorPush(code, message, id, details));
    this.regulate();
  }

  wentLive(): void {
    this.#review();
  }

  /** Subscriptions come one after the other: nothing is settled before all of them are there. */
  async assemble(work: () => Promise<void>): Promise<void> {
    this.#assembling = true;
    try {
      await work();
    } finally {
      this.#assembling = false;
    }
    this.#review();
  }

  /** Where the carrier is there for what it began with: tells it that all is handed over, or ends without any left. */
  #review(last?: Push): void {
    if (!this.carrier.endsWithSubscriptions || this.#assembling || this.ended) return;
    if (this.subscriptions.size > 0) {
      for (const { state } of this.subscriptions.values()) if (state !== 'live') return;
      this.carrier.settled();
      return;
    }
    this.gone('unsubscribed');
    this.carrier.close(CLOSES.done.code, last?.type === 'unsubscribed' ? last.code : 'done');
  }

  timeUp(): void {
    this.carrier.timeUp();
    this.leave();
  }

  /** How long it lasts at most, from now. */
  lasts(ms: number): void {
    this.#takeBackTime();
    if (!this.ended) this.#takeBackTime = this.host.timeUpAt(this, this.host.uptimeMs() + ms);
  }

  welcome(): void {
    const { id: session, identity, host } = this;
    const { user, name } = identity;
    const { pingIntervalMs } = host.times;
    const limits = toldLimits(host.limits);
    this.push({ type: 'welcome', protocol: SUBPROTOCOL, session, name, user, pingIntervalMs, limits });
  }

  get turn(): number {
    return this.host.turn;
  }

  defer(run: () => void): void {
    this.host.defer(run);
  }

  run(job: Job, release: Release): Promise<void> {
    return this.host.run(this, job, release);
  }

  /** True where one more command of so many bytes is within every rate; else the client is told so. */
  takes(bytes: number, { id, type }: { readonly id?: number; readonly type?: CommandType }): boolean {
    const exceeded = this.#exceeds(bytes, type);
    if (exceeded === undefined) return true;
    this.telemetry.fault('rate_limited');
    this.telemetry.limited(exceeded);
    this.journal.refused(`${exceeded.limit} of one ${exceeded.scope}`, this.actor);
    this.fail('rate_limited', describeLimit(exceeded), id);
    this.strike('rateLimited', 'rate_limited');
    return false;
  }

  #exceeds(bytes: number, type: CommandType | undefined): Exceeded | undefined {
    const now = this.host.uptimeMs();
    const { commandsPerSecond, commandBurst } = this.host.limits;
    if (!this.#rate.take(now, commandsPerSecond, commandBurst))
      return { limit: 'commands', scope: 'session' };
    const exceeded = takeCommand(this.quotas, now, bytes) ?? takeMore(this.quotas, now, type);
    const hasPaused = exceeded === undefined && this.#rate.left + 1 >= commandBurst / 2;
    if (hasPaused) this.#strikes.rateLimited = 0;
    return exceeded;
  }

  /** Counts a fault; the last in a row of them ends the session. */
  strike(kind: keyof typeof STRIKES, code: ErrorCode): void {
    this.#strikes[kind]++;
    if (this.#strikes[kind] >= STRIKES[kind]) this.end({ close: kind, code, cause: 'closed' });
  }

  forgive(kind: keyof typeof STRIKES): void {
    this.#strikes[kind] = 0;
  }

  /** Takes no more input than there is room to answer. */
  regulate(): void {
    const pause = this.inbox.isFull || !this.hasRoom;
    if (pause === this.#paused || this.ended) return;
    this.#paused = pause;
    if (pause) this.carrier.pause();
    else this.carrier.resume();
  }

  /** The carrier took everything: what waited goes on. */
  drained(): void {
    for (const subscription of this.subscriptions.values()) {
      tellMissed(subscription);
      subscription.catchUp();
    }
    this.inbox.pump();
  }

  /** One look at the clock, for all that a session has to do with time. */
  tick(now: number, uptimeMs: number): void {
    const { expiresAt } = this.identity;
    if (expiresAt !== null && now >= expiresAt) {
      this.end({ close: 'unauthenticated', code: 'unauthenticated', cause: 'expired' });
      return;
    }
    const verdict = this.#liveness.judge(uptimeMs, this.host.times, this.carrier, this.#paused);
    if (verdict === 'ping') this.carrier.ping();
    if (verdict === 'dead') {
      this.end({ close: 'noPong', code: 'unavailable', cause: 'timeout', afterMs: [0, 1000] });
      this.carrier.terminate();
    }
  }

  /** Ends it from this side, in words. */
  end({ close, code, cause, afterMs }: Ending): void {
    if (this.ended) return;
    const { code: number, advice } = CLOSES[close];
    const after = advice === 'retry' ? { afterMs: [...(afterMs ?? [500, 5000])] as [number, number] } : {};
    this.push({ type: 'bye', code, advice, ...after });
    this.gone(cause);
    this.carrier.close(number, code);
  }

  /** The carrier is closed, or about to be: everything the session held is let go. */
  gone(cause: LeftCause): void {
    if (this.ended) return;
    this.ended = true;
    this.inbox.clear();
    this.#takeBackTime();
    if (this.#paused) this.carrier.resume(); // the peer's close must be read
    this.#leftBecause = cause;
    this.#leaveAll();
    this.host.gone(this, cause);
  }

  /** It has what it came for: nothing more comes, and it lasts only until that is taken. */
  leave(): void {
    this.#takeBackTime();
    this.#leaveAll();
  }

  #leaveAll(): void {
    this.#assembling = true; // that nothing is left now is no reason to end
    for (const subscription of [...this.subscriptions.values()]) subscription.feed.end(subscription);
  }

  /** A subscription of it is about to begin. */
  subscribed(subscription: Subscription): void {
    this.subscriptions.set(subscription.channel, subscription);
    for (const quota of this.quotas) quota.subscriptions++;
    this.host.subscribed(subscription);
  }

  subscriptionEnded(subscription: Subscription, last: Push | undefined): void {
    const hadBegun = this.subscriptions.get(subscription.channel) === subscription;
    if (hadBegun) this.#forget(subscription.channel);
    this.host.unsubscribed(subscription, hadBegun ? this.#leftBecause : undefined);
    if (last !== undefined) this.push(last);
    this.#review(last);
  }

  #forget(channel: string): void {
    this.subscriptions.delete(channel);
    for (const quota of this.quotas) quota.subscriptions--;
  }
}

/** Its commands and subscriptions have bounds of their own. */
function ownQuota(limits: Limits): Quota[] {
  const own = ownLimits(limits);
  return isBounded(own) ? [new Quota('session', own)] : [];
}
