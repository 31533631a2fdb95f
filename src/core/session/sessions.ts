import type { SharedLimits } from '../limits.js';
import type { Quota } from '../quota/quota.js';
import { Quotas } from '../quota/quotas.js';
import type { Session } from './session.js';

/** The sessions of this node, and what those of one user or one address may do together. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** One session stands for itself: most users have one. */
  readonly #users = new Map<string, Session | Set<Session>>();
  readonly #userQuotas: Quotas;
  readonly #addressQuotas: Quotas;

  constructor(perUser: SharedLimits, perAddress: SharedLimits) {
    this.#userQuotas = new Quotas('user', perUser);
    this.#addressQuotas = new Quotas('address', perAddress);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Users with a session. */
  get users(): number {
    return this.#users.size;
  }

  add(session: Session): void {
    const { user } = session.identity;
    this.#sessions.set(session.id, session);
    if (user !== null) {
      this.#users.set(user, withOne(this.#users.get(user), session));
      this.#userQuotas.sessionBegan(user);
    }
    this.#addressQuotas.sessionBegan(session.address);
    session.telemetry.sessionBegan(session.carrier.transport);
  }

  delete(session: Session): void {
    if (!this.#sessions.delete(session.id)) return;
    const { user } = session.identity;
    if (user !== null) {
      const left = withoutOne(this.#users.get(user), session);
      if (left === undefined) this.#users.delete(user);
      else this.#users.set(user, left);
      this.#userQuotas.sessionEnded(user);
    }
    this.#addressQuotas.sessionEnded(session.address);
    session.telemetry.sessionEnded(session.carrier);
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Those of one user, oldest first. A list of its own. */
  of(user: string): Session[] {
    const found = this.#users.get(user);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  /** What bounds somebody besides a session's own limits. Empty where nothing does. */
  quotas(user: string | null, address: string): Quota[] {
    const ofUser = user === null ? undefined : this.#userQuotas.of(user);
    const ofAddress = this.#addressQuotas.of(address);
    return [...(ofUser === undefined ? [] : [ofUser]), ...(ofAddress === undefined ? [] : [ofAddress])];
  }

  /** A list of its own: sessions may end while one goes through it. */
  all(): Session[] {
    return [...this.#sessions.values()];
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }
}

function withOne(found: Session | Set<Session> | undefined, session: Session): Session | Set<Session> {
  if (found === undefined) return session;
  return found instanceof Set ? found.add(session) : new Set([found, session]);
}

function withoutOne(
  found: Session | Set<Session> | undefined,
  session: Session,
): Session | Set<Session> | undefined {
  if (!(found instanceof Set)) return found === session ? undefined : found;
  found.delete(session);
  const [only] = found;
  return found.size === 1 ? only : found;
}
