import type { Order, Revoked, Whose } from '../protocol/nodes/news.js';
import { Refused } from '../protocol/refused.js';
import type { Revocation, RevocationInForce, Revocations } from './session/revocations.js';
import type { Session } from './session/session.js';
import type { Sessions } from './session/sessions.js';
import type { Journal } from './telemetry.js';

/** An order is told again for so long, in ms, to a node that has missed it; what was revoked, for as long as it holds. */
const KEPT_MS = 60_000;
const MAX_KEPT = 1000;

export interface OrdersParts {
  readonly sessions: Sessions;
  readonly revocations: Revocations;
  readonly journal: Journal;
  /** ms since 1970. */
  readonly now: () => number;
  /** ms that only ever grow, with fractions. */
  readonly uptimeMs: () => number;
  /** Runs at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
  readonly makeId: () => string;
  /** To every other node; undefined where there is none. */
  readonly tell: ((item: Order | Revoked) => void) | undefined;
}

/**
 * What is ordered from outside of every session: that some end, that subscriptions end, that tokens are no longer good. Carried
 * out here at once, and by every other node when it hears of it; what is returned is what was done here.
 */
export class Orders {
  readonly #parts: OrdersParts;
  /** By id: those that were carried out, and since when in ms of uptime. */
  readonly #kept = new Map<string, { readonly order: Order; readonly atMs: number }>();
  #willCheckTokens = false;

  constructor(parts: OrdersParts) {
    this.#parts = parts;
  }

  /** How many sessions were ended. */
  end(whose: Whose): number {
    return this.#give(whose);
  }

  /** How many subscriptions were ended. */
  unsubscribe(whose: Whose, channel: string): number {
    return this.#give(whose, channel);
  }

  /** How many sessions were ended. Throws `too_many` where no more can be remembered. */
  revoke(revocation: Revocation, until: number): number {
    const { revocations, sessions, now, tell } = this.#parts;
    const at = now();
    revocations.add(revocation, at, until);
    tell?.(toldOf({ revocation, at, until }));
    return this.#endRevoked('user' in revocation ? sessions.of(revocation.user) : sessions.all());
  }

  /** What another node tells, and may tell again. */
  obey(item: Order | Revoked): void {
    if (item.type === 'revoked') this.#learn(item);
    else if (!this.#kept.has(item.id)) {
      this.#keep(item);
      this.#carryOut(item);
    }
  }

  /** What a node has to know that hears of this one for the first time, or has missed something. */
  *held(): Generator<Order | Revoked> {
    const { revocations, now, uptimeMs } = this.#parts;
    for (const each of revocations.inForce(now())) yield toldOf(each);
    for (const { order, atMs } of this.#kept.values()) {
      const ageMs = Math.round(uptimeMs() - atMs);
      if (ageMs < KEPT_MS) yield { ...order, ageMs };
    }
  }

  #give(whose: Whose, channel?: string): number {
    const { makeId, tell } = this.#parts;
    const isHereAlone = 'session' in whose && this.#of(whose).length > 0;
    const order: Order = { type: 'order', id: makeId(), ageMs: 0, whose, ...(channel && { channel }) };
    if (tell !== undefined && !isHereAlone) {
      this.#keep(order);
      tell(order);
    }
    return this.#carryOut(order);
  }

  #carryOut({ whose, channel, ageMs }: Order): number {
    const givenAt = this.#parts.now() - ageMs;
    const sessions = this.#of(whose).filter(({ beganAt }) => beganAt <= givenAt);
    if (channel !== undefined) return sessions.filter((session) => endSubscription(session, channel)).length;
    for (const session of sessions) session.end({ close: 'forbidden', code: 'forbidden', cause: 'closed' });
    return sessions.length;
  }

  #of(whose: Whose): Session[] {
    const { sessions } = this.#parts;
    if ('user' in whose) return sessions.of(whose.user);
    const session = sessions.get(whose.session);
    return session === undefined ? [] : [session];
  }

  #keep(order: Order): void {
    const now = this.#parts.uptimeMs();
    this.#kept.set(order.id, { order, atMs: now - order.ageMs });
    for (const [id, { atMs }] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT && now - atMs < KEPT_MS) return;
      this.#kept.delete(id);
    }
  }

  #learn(revoked: Revoked): void {
    const { sessions, journal } = this.#parts;
    try {
      if (!this.#remember(revoked)) return;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      journal.refused('bus: more revocations than are remembered', {});
      return;
    }
    const { revocation } = revoked;
    if ('user' in revocation) this.#endRevoked(sessions.of(revocation.user));
    else this.#checkTokens();
  }

  /** True where it is news. */
  #remember({ revocation, at, until }: Revoked): boolean {
    const { revocations, now } = this.#parts;
    if (until !== null && until <= now()) return false;
    return revocations.add(revocation, at, until ?? Number.POSITIVE_INFINITY, now());
  }

  /** Many may come at once, and each may be of any session: looked for once a turn. */
  #checkTokens(): void {
    if (this.#willCheckTokens) return;
    this.#willCheckTokens = true;
    this.#parts.defer(() => {
      this.#willCheckTokens = false;
      this.#endRevoked(this.#parts.sessions.all());
    });
  }

  #endRevoked(sessions: readonly Session[]): number {
    const { revocations, now } = this.#parts;
    const ended = sessions.filter(({ identity }) => revocations.has(identity, now()));
    for (const session of ended)
      session.end({ close: 'unauthenticated', code: 'unauthenticated', cause: 'expired' });
    return ended.length;
  }
}

/** JSON has no number for what has no end. */
function toldOf({ revocation, at, until }: RevocationInForce): Revoked {
  return { type: 'revoked', revocation, at, until: Number.isFinite(until) ? Math.ceil(until) : null };
}

function endSubscription({ subscriptions }: Session, channel: string): boolean {
  const subscription = subscriptions.get(channel);
  subscription?.feed.end(subscription, { type: 'unsubscribed', channel, code: 'forbidden' });
  return subscription !== undefined;
}
