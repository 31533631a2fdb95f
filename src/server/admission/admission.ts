import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Identity } from '../../core/policy/policy.js';
import { Refused } from '../../protocol/refused.js';
import { BEARER_PREFIX, SUBPROTOCOL } from '../../protocol/version.js';
import type { ResolvedOptions } from '../options/options.js';
import { within } from '../within.js';
import type { Credentials } from './credentials.js';
import { credentialsOf } from './credentials.js';
import { askVerifyClient } from './hooks.js';
import { addressOf, anonymousName } from './names.js';
import { isAllowedOrigin } from './origin.js';
import type { CheckToken } from './tokens.js';

/** What admission looks at besides the request. */
export interface Occupancy {
  draining(): boolean;
  sessions(): number;
  sessionsFrom(address: string): number;
}

/** Who may connect: one function for every transport. What it refuses, it throws as `Refused`. */
export class Admission {
  readonly #options: ResolvedOptions;
  readonly #checkToken: CheckToken;
  readonly #occupancy: Occupancy;

  constructor(options: ResolvedOptions, checkToken: CheckToken, occupancy: Occupancy) {
    this.#options = options;
    this.#checkToken = checkToken;
    this.#occupancy = occupancy;
  }

  /** Who the caller is. All the checks together have one time limit. */
  admit(request: IncomingMessage, offered: ReadonlySet<string>): Promise<Identity> {
    const late = () => new Refused('unavailable', 'the checks took too long');
    return within(this.#options.handshakeTimeoutMs, this.#admit(request, offered), late);
  }

  /** The cheap checks come first; the room is looked at again after the slow ones. */
  async #admit(request: IncomingMessage, offered: ReadonlySet<string>): Promise<Identity> {
    this.checkRoom(request);
    const { headers, url = '' } = request;
    this.#checkOrigin(headers);
    const credentials = credentialsOf(headers, url, offered, this.#options.token);
    if (credentials?.from === 'cookie') this.#checkCookieOrigin(headers);
    const identity = await this.#identify(credentials, request);
    if (this.#options.verifyClient !== undefined) await askVerifyClient(this.#options.verifyClient, request);
    this.checkRoom(request);
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

  /** Throws where there is no room for one more. To be asked again after whatever takes time. */
  checkRoom(request: IncomingMessage): void {
    const { maxSessions, perAddress } = this.#options.limits;
    const maxSessionsPerAddress = perAddress.maxSessions;
    if (this.#occupancy.draining()) throw new Refused('draining', 'this server is about to end');
    if (this.#occupancy.sessions() >= maxSessions) throw new Refused('unavailable', 'this server is full');
    if (maxSessionsPerAddress === undefined) return;
    if (this.#occupancy.sessionsFrom(addressOf(request)) >= maxSessionsPerAddress) {
      throw new Refused('too_many', 'there are too many sessions from this address');
    }
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

  async #identify(credentials: Credentials | undefined, request: IncomingMessage): Promise<Identity> {
    if (credentials !== undefined) return this.#checkToken(credentials.token);
    if (!this.#options.anonymous) throw new Refused('unauthenticated', 'a token is needed');
    const name = anonymousName(request, this.#options.anonymousNames);
    return { user: null, name, claims: undefined, expiresAt: null };
  }
}

/** A token is no subprotocol: it is shown to nobody, and never selected. */
function othersOf(offered: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...offered].filter((value) => !value.startsWith(BEARER_PREFIX)));
}

function badSubprotocol(why: string): Refused {
  return new Refused('bad_handshake', `offer the subprotocol ${SUBPROTOCOL}: ${why}`);
}
