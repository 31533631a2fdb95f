import type { LeftCause } from '../protocol/pushes.js';
import type { Store } from '../store/store.js';
import type { Carrier } from './carrier.js';
import type { CommandContext } from './commands/context.js';
import { runCommand } from './commands/run.js';
import { Hub } from './fanout/hub.js';
import { Presence } from './fanout/presence.js';
import type { Subscription } from './fanout/subscription.js';
import type { Limits } from './limits.js';
import type { Identity, Policy } from './policy/policy.js';
import type { Job, Release } from './session/inbox.js';
import type { LivenessTimes } from './session/liveness.js';
import { Rates } from './session/rates.js';
import type { SessionHost } from './session/session.js';
import { Session } from './session/session.js';
import { Sessions } from './session/sessions.js';
import type { LogError, Telemetry } from './telemetry.js';

/** What the core is given: it has no clock, no timer, no chance and no key of its own. */
export interface NodeParts {
  readonly store: Store;
  readonly policy: Policy;
  readonly limits: Limits;
  readonly times: LivenessTimes;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
  /** Who a token says it is. Throws `unauthenticated` for one that is not good. */
  readonly authenticate: (token: string) => Promise<Identity>;
  /** ms since 1970. */
  readonly now: () => number;
  /** ms that only ever grow, with fractions. */
  readonly uptimeMs: () => number;
  /** Runs at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** Unguessable, never the same twice. */
  readonly makeId: () => string;
}

/** One process: its store, its fan-out, its sessions. */
export class EarshotNode implements SessionHost, CommandContext {
  readonly store: Store;
  readonly policy: Policy;
  readonly limits: Limits;
  readonly times: LivenessTimes;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
  readonly authenticate: (token: string) => Promise<Identity>;
  readonly now: () => number;
  readonly uptimeMs: () => number;
  readonly random: () => number;
  readonly hub: Hub;
  readonly presence = new Presence();
  readonly sessions = new Sessions();
  readonly rates = new Rates();
  readonly #makeId: () => string;

  constructor(parts: NodeParts) {
    this.store = parts.store;
    this.policy = parts.policy;
    this.limits = parts.limits;
    this.times = parts.times;
    this.telemetry = parts.telemetry;
    this.logError = parts.logError;
    this.authenticate = parts.authenticate;
    this.now = parts.now;
    this.uptimeMs = parts.uptimeMs;
    this.random = parts.random;
    this.hub = new Hub(parts.store, parts.defer);
    this.#makeId = parts.makeId;
  }

  /** A session for a connection that was admitted. It has not spoken yet. */
  begin(identity: Identity, carrier: Carrier, address: string): Session {
    const session = new Session(this, this.#makeId(), identity, carrier, address);
    this.sessions.add(session);
    return session;
  }

  /** Everything that has to do with time; to be called about every second. */
  tick(): void {
    const now = this.now();
    const uptimeMs = this.uptimeMs();
    for (const session of this.sessions.all()) session.tick(now, uptimeMs);
    this.store.sweep();
  }

  run(session: Session, job: Job, release: Release): Promise<void> {
    return runCommand(this, session, job, release);
  }

  subscribed(subscription: Subscription): void {
    this.telemetry.subscribed(subscription.session.carrier.transport);
    this.presence.join(subscription);
  }

  unsubscribed(subscription: Subscription, cause: LeftCause | undefined): void {
    this.hub.ended(subscription);
    if (cause === undefined) return;
    this.telemetry.unsubscribed(subscription.session.carrier.transport);
    this.presence.leave(subscription, cause);
  }

  gone(session: Session): void {
    this.sessions.delete(session);
  }
}
