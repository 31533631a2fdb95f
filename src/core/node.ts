import type { LeftCause } from '../protocol/pushes.js';
import type { Store } from '../store/store.js';
import type { Carrier } from './carrier.js';
import type { CommandContext } from './commands/context.js';
import { runCommand } from './commands/run.js';
import type { FeedTimes } from './fanout/feed.js';
import { Hub } from './fanout/hub.js';
import { Presence } from './fanout/presence.js';
import type { Subscription } from './fanout/subscription.js';
import type { CoreHooks } from './hooks.js';
import type { Limits } from './limits.js';
import type { Bus, NeighbourParts } from './neighbours/bus.js';
import type { Listener } from './neighbours/neighbour.js';
import { Neighbours } from './neighbours/neighbours.js';
import { Outbox } from './neighbours/outbox.js';
import { Orders } from './orders.js';
import type { Identity } from './policy/policy.js';
import type { PolicyTable } from './policy/table.js';
import type { Quota } from './quota/quota.js';
import { Rates } from './quota/rates.js';
import { Deadlines } from './session/deadlines.js';
import type { Job, Release } from './session/inbox.js';
import type { LivenessTimes } from './session/liveness.js';
import { Revocations } from './session/revocations.js';
import type { SessionHost, Visit } from './session/session.js';
import { Session } from './session/session.js';
import { Sessions } from './session/sessions.js';
import { Turns } from './session/turns.js';
import { Slices } from './streams/slices.js';
import type { Journal, Telemetry } from './telemetry.js';

/** A store that is away is asked again after about so long. */
const STORE_AGAIN_MS = 1000;

/** What the core is given: it has no clock, no timer, no chance and no key of its own. */
export interface NodeParts {
  readonly store: Store;
  readonly policy: PolicyTable;
  readonly hooks: CoreHooks;
  readonly limits: Limits;
  readonly times: LivenessTimes;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
  /** Who a token says it is. Throws `unauthenticated` for one that is not good. */
  readonly authenticate: (token: string) => Promise<Identity>;
  /** ms since 1970. */
  readonly now: () => number;
  /** ms that only ever grow, with fractions. */
  readonly uptimeMs: () => number;
  /** Runs at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
  /** Runs after so many ms. */
  readonly later: (run: () => void, ms: number) => void;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** Unguessable, never the same twice. */
  readonly makeId: () => string;
  /** Asks for a call of `wake` at this time of uptimeMs; an earlier one that was asked for stands. */
  readonly alarm: (atMs: number) => void;
  /** Where there are other nodes of the same store. Without it this is the only one. */
  readonly neighbours?: NeighbourParts | undefined;
}

/** One process: its store, its fan-out, its sessions. */
export class EarshotNode implements SessionHost, CommandContext {
  readonly store: Store;
  readonly policy: PolicyTable;
  readonly hooks: CoreHooks;
  readonly limits: Limits;
  readonly times: LivenessTimes;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
  readonly authenticate: (token: string) => Promise<Identity>;
  readonly now: () => number;
  readonly uptimeMs: () => number;
  readonly random: () => number;
  readonly defer: (run: () => void) => void;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly sessions: Sessions;
  readonly rates = new Rates();
  readonly slices: Slices;
  readonly makeId: () => string;
  readonly revocations = new Revocations();
  readonly orders: Orders;
  /** undefined where this node is the only one. */
  readonly neighbours: Neighbours | undefined;
  readonly #deadlines: Deadlines<Session>;
  readonly #turns: Turns;
  #ticks = 0;

  constructor(parts: NodeParts) {
    this.store = parts.store;
    this.policy = parts.policy;
    this.hooks = parts.hooks;
    this.limits = parts.limits;
    this.sessions = new Sessions(parts.limits);
    this.times = parts.times;
    this.telemetry = parts.telemetry;
    this.journal = parts.journal;
    this.authenticate = parts.authenticate;
    this.now = parts.now;
    this.uptimeMs = parts.uptimeMs;
    this.random = parts.random;
    this.defer = parts.defer;
    this.hub = new Hub(parts.store, (channel) => this.#timesOf(channel, parts));
    this.slices = new Slices(parts.defer);
    this.makeId = parts.makeId;
    const outbox = parts.neighbours && this.#outbox(parts, parts.neighbours.bus);
    this.presence = new Presence(parts.uptimeMs, outbox);
    const tell = outbox?.tell.bind(outbox);
    this.orders = new Orders({ ...parts, sessions: this.sessions, revocations: this.revocations, tell });
    if (parts.neighbours && outbox)
      this.neighbours = new Neighbours({ ...parts, ...parts.neighbours, outbox, listener: this.#listener() });
    this.#deadlines = new Deadlines(parts.alarm);
    this.#turns = new Turns(parts.defer);
  }

  get turn(): number {
    return this.#turns.number;
  }

  /** A session for a connection that was admitted. It has not spoken yet. */
  begin(identity: Identity, carrier: Carrier, address: string, visit?: Visit): Session {
    const session = new Session(this, this.makeId(), identity, carrier, address, visit);
    this.sessions.add(session);
    this.journal.session('began', session.actor);
    return session;
  }

  /**
   * Everything that has to do with time; to be called `parts` times in about a second. Each time a part of the sessions
   * is looked at: all of them at once would hold up everybody, for 50 ms where there are 50,000.
   */
  tick(parts = 1): void {
    const now = this.now();
    const uptimeMs = this.uptimeMs();
    const some = this.sessions.next(Math.ceil(this.sessions.size / parts));
    for (const session of some) session.tick(now, uptimeMs);
    if (this.#ticks++ % parts === 0) this.#upkeep();
  }

  #upkeep(): void {
    this.presence.expire();
    this.neighbours?.tick();
    this.store.sweep().catch((error: unknown) => this.journal.error(error, {}));
  }

  /** Sessions whose time is up are told so. */
  wake(): void {
    for (const session of this.#deadlines.due(this.uptimeMs())) session.timeUp();
  }

  timeUpAt(session: Session, atMs: number): () => void {
    return this.#deadlines.add(atMs, session);
  }

  run(session: Session, job: Job, release: Release): Promise<void> {
    return runCommand(this, session, job, release);
  }

  subscribed(subscription: Subscription): void {
    this.telemetry.subscribed(subscription.session.carrier.transport);
    if (isMember(subscription) && this.policy.rule(subscription.channel).presence)
      this.presence.join(subscription);
  }

  unsubscribed(subscription: Subscription, cause: LeftCause | undefined): void {
    this.hub.ended(subscription);
    if (cause === undefined) return;
    this.telemetry.unsubscribed(subscription.session.carrier.transport);
    this.presence.leave(subscription, cause);
  }

  gone(session: Session, cause: LeftCause): void {
    this.sessions.delete(session);
    const { actor, id, beganAt, carrier } = session;
    this.journal.session('ended', { ...actor, cause });
    this.hooks.onDisconnect?.({ ...actor, session: id, transport: carrier.transport, cause, beganAt });
  }

  #timesOf(channel: string, { defer, later, random }: NodeParts): FeedTimes {
    const { flushMs } = this.policy.rule(channel);
    return {
      defer,
      gather: flushMs === 0 ? defer : (run) => later(run, flushMs),
      later: (run) => later(run, STORE_AGAIN_MS * (0.5 + random())),
    };
  }

  #outbox({ makeId, journal, uptimeMs, defer, later }: NodeParts, bus: Bus): Outbox {
    return new Outbox({
      bus,
      node: makeId(),
      journal,
      uptimeMs,
      defer,
      later,
      held: () => this.orders.held(),
    });
  }

  /** Of channels whose presence nobody is told here, nobody needs to know. */
  #listener(): Listener {
    return {
      joinedElsewhere: (channel, member) => {
        if (this.policy.rule(channel).presence) this.presence.joinedElsewhere(channel, member);
      },
      leftElsewhere: (channel, session, cause) => this.presence.leftElsewhere(channel, session, cause),
      obey: (item) => this.orders.obey(item),
    };
  }

  quotas(user: string | null, address: string): Quota[] {
    return this.sessions.quotas(user, address);
  }
}

/** A request that waits once, and names nobody, is not somebody who is there. */
function isMember({ session }: Subscription): boolean {
  return session.carrier.transport !== 'long-poll' || session.visit !== undefined;
}
