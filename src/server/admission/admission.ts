import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Identity } from '../../core/policy/policy.js';
import { describeLimit } from '../../core/quota/meter.js';
import type { Exceeded, Quota } from '../../core/quota/quota.js';
import { Refused } from '../../protocol/refused.js';
import { BEARER_PREFIX, SUBPROTOCOL } from '../../protocol/version.js';
import type { GuardedHooks } from '../hooks.js';
import type { ResolvedOptions } from '../options/options.js';
import { within } from '../within.js';
import type { AddressOf } from './addresses.js';
import { addressesBehind } from './addresses.js';
import type { Credentials } from './credentials.js';
import { credentialsOf } from './credentials.js';
import { askVerifyClient } from './hooks.js';
import { identityFromHost } from './host-identity.js';
import { anonymousName } from './names.js';
import { isAllowedOrigin } from './origin.js';

/** What admission looks at besides the request. */
export interface Occupancy {
  draining(): boolean;
  sessions(): number;
  /** What bounds a user and an address, where something does. */
  quotas(user: string | null, address: string): readonly Quota[];
  /** Went over a limit. */
  limited(exceeded: Exceeded): void;
  /** Throws `unauthenticated` where what the caller came with was revoked. */
  checkRevoked(identity: Identity): void;
  /** Who a token says it is. Throws `unauthenticated` for one that is not good. */
  authenticate(token: string): Promise<Identity>;
  /** ms that only ever grow. */
  uptimeMs(): number;
}

/** Who may connect: one function for every transport. What it refuses, it throws as `Refused`. */
export class Admission {
  readonly addressOf: AddressOf;
  readonly #options: ResolvedOptions;
  readonly #hooks: GuardedHooks;
  readonly #occupancy: Occupancy;

  constructor(options: ResolvedOptions, hooks: GuardedHooks, occupancy: Occupancy) {
    this.#options = options;
    this.#hooks = hooks;
    this.#occupancy = occupancy;
    this.addressOf = addressesBehind(options.trustProxy);
  }

  /**
   * Who the caller is: a promise where somebody has to be asked. The cheap checks come first, and the room is looked at
   * again after the slow ones, which have one time limit together.
   */
  admit(request: IncomingMessage, offered: ReadonlySet<string>): Identity | Promise<Identity> {
    const address = this.addressOf(request);
    this.#takeConnect(address);
    this.#checkRoom(null, address);
    const { headers, url = '' } = request;
    this.#checkOrigin(headers);
    const credentials = credentialsOf(headers, url, offered, this.#options.token);
    if (credentials?.from === 'cookie') this.#checkCookieOrigin(headers);
    if (credentials === undefined && !this.#asksHost)
      return this.#letIn(this.#anonymous(request, address), address);
    const late = () => new Refused('unavailable', 'the checks took too long');
    return within(this.#options.handshakeTimeoutMs, this.#ask(credentials, request, address), late);
  }

  get #asksHost(): boolean {
    return this.#options.verifyClient !== undefined || this.#hooks.onConnect !== undefined;
  }

  async #ask(
    credentials: Credentials | undefined,
    request: IncomingMessage,
    address: string,
  ): Promise<Identity> {
    const identified =
      credentials === undefined
        ? this.#anonymous(request, address)
        : await this.#occupancy.authenticate(credentials.token);
    if (this.#options.verifyClient !== undefined) await askVerifyClient(this.#options.verifyClient, request);
    return this.#letIn(await this.#askHost(identified, request, address), address);
  }

  #letIn(identity: Identity, address: string): Identity {
    if (identity.user === null && !this.#options.anonymous)
      throw new Refused('unauthenticated', 'a token is needed');
    this.checkStill(identity, address);
    return identity;
  }

  /** Throws where the offered subprotocols can't be served, whoever the caller is. */
  checkSubprotocols(offered: ReadonlySet<string>): void {
    if (offered.has(SUBPROTOCOL)) return;
    const { plainChannel, handleProtocols } = this.#options;
    if (plainChannel === false) throw badSubprotocol('there is no plain channel here');
    if (handleProtocols === undefined && othersOf(offered).size > 0)
      throw badSubprotocol('no other is spoken here');
  }

  /** The subprotocol that is answered: ours if it is offered; else what the host's hook selects. Throws where it doesn't. */
  async selectSubprotocol(request: IncomingMessage, offered: ReadonlySet<string>): Promise<string | false> {
    if (offered.has(SUBPROTOCOL)) return SUBPROTOCOL;
    const others = othersOf(offered);
    if (others.size === 0) return false;
    const selected = await this.#options.handleProtocols?.(others, request);
    if (typeof selected === 'string' && others.has(selected)) return selected;
    throw badSubprotocol('none of the others was selected');
  }

  /** Throws where one more of this caller is no longer let in. To be asked again after whatever takes time. */
  checkStill(identity: Identity, address: string): void {
    this.#checkRoom(identity.user, address);
    this.#occupancy.checkRevoked(identity);
  }

  #checkRoom(user: string | null, address: string): void {
    if (this.#occupancy.draining()) throw new Refused('draining', 'this server is about to end');
    if (this.#occupancy.sessions() >= this.#options.limits.maxSessions) {
      this.#occupancy.limited({ limit: 'sessions', scope: 'node' });
      throw new Refused('unavailable', 'this server is full');
    }
    const full = this.#occupancy.quotas(user, address).find((quota) => !quota.hasRoomForSession);
    if (full === undefined) return;
    this.#occupancy.limited({ limit: 'sessions', scope: full.scope });
    throw new Refused('too_many', `there are too many sessions of this ${full.scope}`);
  }

  #takeConnect(address: string): void {
    const now = this.#occupancy.uptimeMs();
    const full = this.#occupancy.quotas(null, address).find((quota) => !quota.take('connects', now));
    if (full === undefined) return;
    const exceeded = { limit: 'connects', scope: full.scope } as const;
    this.#occupancy.limited(exceeded);
    throw new Refused('rate_limited', describeLimit(exceeded));
  }

  #checkOrigin(headers: IncomingHttpHeaders): void {
    const { origin } = headers;
    if (origin === undefined || isAllowedOrigin(origin, headers, this.#options)) return;
    throw new Refused('forbidden', 'pages of this Origin may not connect');
  }

  /** A browser sends cookies along from any page: the Origin, or its own word on a GET, tells whose page it is. */
  #checkCookieOrigin({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): void {
    if (origin !== undefined || site === 'same-origin') return;
    throw new Refused('forbidden', 'a cookie is taken only together with an Origin');
  }

  #anonymous({ socket }: IncomingMessage, address: string): Identity {
    const name = anonymousName(address, socket.remotePort ?? 0, this.#options.anonymousNames);
    return { user: null, name, claims: undefined, expiresAt: null };
  }

  /** The host may know better who it is. */
  async #askHost(identity: Identity, request: IncomingMessage, address: string): Promise<Identity> {
    const known = await this.#hooks.onConnect?.({ identity, request, address });
    return known === undefined ? identity : identityFromHost(identity, known);
  }
}

/** A token is no subprotocol: it is shown to nobody, and never selected. */
function othersOf(offered: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...offered].filter((value) => !value.startsWith(BEARER_PREFIX)));
}

function badSubprotocol(why: string): Refused {
  return new Refused('bad_handshake', `offer the subprotocol ${SUBPROTOCOL}: ${why}`);
}
