import type { EarshotNode } from '../../core/node.js';
import type { Session } from '../../core/session/session.js';
import { Refused } from '../../protocol/refused.js';
import { firstAfter } from '../../store/first-after.js';
import { checkName } from './name.js';

/** One session, as the server tells of it. */
export interface SessionInfo {
  readonly id: string;
  /** Who the token says it is; null where anonymous. */
  readonly user: string | null;
  readonly name: string;
  /** The peer's address; behind a trusted proxy the forwarded one. */
  readonly address: string;
  readonly transport: string;
  /** ms since 1970. */
  readonly beganAt: number;
  /** When it ends unless the token is renewed, in ms since 1970; null where it has no end of its own. */
  readonly expiresAt: number | null;
  /** What it is subscribed to. */
  readonly channels: readonly string[];
}

/** A page of a list. */
export interface ListOptions {
  /** The last one of the page before. Default: from the beginning. */
  readonly after?: string | undefined;
  /** How many at most. */
  readonly limit?: number | undefined;
}

/** The sessions of this node. */
export class SessionRegistry {
  readonly #node: EarshotNode;

  constructor(node: EarshotNode) {
    this.#node = node;
  }

  /** How many there are. */
  get count(): number {
    return this.#node.sessions.size;
  }

  /** True where other nodes are heard of: a session that is not here may be there. */
  get hasOtherNodes(): boolean {
    return (this.#node.neighbours?.count ?? 0) > 0;
  }

  /** In the order of their ids; all of them unless a `limit` is given. */
  list({ after = '', limit = Number.POSITIVE_INFINITY }: ListOptions = {}): SessionInfo[] {
    const { sessions } = this.#node;
    return firstAfter(ids(sessions), after, limit).flatMap((id) => this.get(id) ?? []);
  }

  /** Those of one user, oldest first. */
  find(user: string): SessionInfo[] {
    return this.#node.sessions.of(user).map(describe);
  }

  get(id: string): SessionInfo | undefined {
    const session = this.#node.sessions.get(id);
    return session && describe(session);
  }

  /**
   * Says something to one session alone, outside of every channel: the client gets a `direct`. True where it was
   * handed to its connection; false where there is no such session, or it reads too slowly to
   * take more, or is a stream of one channel, which has no words for it. Not promised:
   * that it arrives; it is in no log. Throws `bad_data` for what JSON does not have.
   */
  send(id: string, data: unknown, { from = 'server' }: { readonly from?: string | undefined } = {}): boolean {
    if (!hasJson(data)) throw new Refused('bad_data', 'the data is nothing that JSON has');
    const session = this.#node.sessions.get(id);
    if (session === undefined || !session.hasRoom) return false;
    return session.push({ type: 'direct', from, at: this.#node.now(), data });
  }

  /**
   * Ends one in words: the client is told `forbidden` and does not come back. True where it was of this node. Of another one
   * with the same `bus` it ends there, about as soon, and nobody says whether there was one.
   */
  end(id: string): boolean {
    return this.#node.orders.end({ session: id }) > 0;
  }

  /** Ends all of one user likewise, on every node. How many there were on this one. */
  endUser(user: string): number {
    return this.#node.orders.end({ user });
  }

  /**
   * Ends the subscription of a session to a channel: the client is told `unsubscribed` with `forbidden`, and may subscribe
   * again where policy lets it. True where it was of this node; of another it ends as with `end`. Throws `bad_channel`.
   */
  unsubscribe(id: string, channel: string): boolean {
    checkName(channel);
    return this.#node.orders.unsubscribe({ session: id }, channel) > 0;
  }

  /** The same for all of one user, on every node. How many subscriptions there were on this one. */
  unsubscribeUser(user: string, channel: string): number {
    checkName(channel);
    return this.#node.orders.unsubscribe({ user }, channel);
  }
}

function* ids(sessions: Iterable<Session>): Iterable<string> {
  for (const { id } of sessions) yield id;
}

function describe({ id, identity, address, carrier, beganAt, subscriptions }: Session): SessionInfo {
  const { user, name, expiresAt } = identity;
  const channels = [...subscriptions.keys()];
  return { id, user, name, address, transport: carrier.transport, beganAt, expiresAt, channels };
}

function hasJson(data: unknown): boolean {
  try {
    return JSON.stringify(data) !== undefined;
  } catch {
    return false; // circular, or a bigint
  }
}
