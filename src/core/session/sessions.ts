import type { Limits } from '../limits.js';
import { ownLimits } from '../limits.js';
import { networkOf } from '../quota/network.js';
import type { Quota } from '../quota/quota.js';
import { Quotas } from '../quota/quotas.js';
import type { Session } from './session.js';

/** The sessions of this node, and what those of one user or one address may do together. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** One session stands for itself: most users have one. */
  readonly #users = new Map<string, Session | Set<Session>>();
  /** How far `next` has come. */
  #round: IterableIterator<Session> | undefined;
  readonly #userQuotas: Quotas;
  readonly #addressQuotas: Quotas;
  /** Of requests, which have no session. */
  readonly #requestQuotas: { readonly user: Quotas; readonly address: Quotas };

  constructor(limits: Limits) {
    this.#userQuotas = new Quotas('user', limits.perUser);
    this.#addressQuotas = new Quotas('address', limits.perAddress);
    const own = ownLimits(limits);
    this.#requestQuotas = { user: new Quotas('user', own), address: new Quotas('address', own) };
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
    this.#addressQuotas.sessionBegan(networkOf(session.address));
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
    this.#addressQuotas.sessionEnded(networkOf(session.address));
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
    const ofAddress = this.#addressQuotas.of(networkOf(address));
    return [...(ofUser === undefined ? [] : [ofUser]), ...(ofAddress === undefined ? [] : [ofAddress])];
  }

  /** The same for a request: the bounds of one session are those of all that its user, or else its address, sends so. */
  quotasOfRequest(user: string | null, address: string): Quota[] {
    const { user: ofUsers, address: ofAddresses } = this.#requestQuotas;
    const own = user === null ? ofAddresses.of(networkOf(address)) : ofUsers.of(user);
    return [...(own === undefined ? [] : [own]), ...this.quotas(user, address)];
  }

  /** The next so many, at most all of them, in their order, after the last the first again. A list of its own. */
  next(count: number): Session[] {
    const found: Session[] = [];
    while (found.length < Math.min(count, this.#sessions.size)) {
      this.#round ??= this.#sessions.values();
      const { value, done } = this.#round.next();
      if (done === true) this.#round = undefined;
      else found.push(value);
    }
    return found;
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
