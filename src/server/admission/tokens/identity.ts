import type { JWTPayload } from 'jose';
import { parseGrants } from '../../../core/policy/grants.js';
import type { Identity } from '../../../core/policy/policy.js';
import { Refused } from '../../../protocol/refused.js';
import { cleanName } from '../names.js';

const MAX_USER_LENGTH = 256;
/** The last ms that a Date can be of. */
const MAX_DATE_MS = 8_640_000_000_000_000;

/**
 * Who the claims of a verified token are about. Throws `unauthenticated` for a `sub` or a `channels` that can't be.
 * The session lasts as long as the token is taken: `toleranceMs` longer than its `exp`.
 */
export function identityOf(claims: JWTPayload, toleranceMs: number): Identity {
  const { sub, exp = 0, iat, jti } = claims;
  const { name, channels } = claims as { name?: unknown; channels?: unknown }; // not typed by jose
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_USER_LENGTH) {
    throw new Refused('unauthenticated', `the token's sub is not 1 to ${MAX_USER_LENGTH} characters`);
  }
  return {
    user: sub,
    name: cleanName(typeof name === 'string' && name !== '' ? name : sub),
    claims,
    expiresAt: toMs(exp, toleranceMs),
    tokenId: typeof jti === 'string' ? jti : undefined,
    issuedAt: iat === undefined ? undefined : toMs(iat),
    grants: channels === undefined ? undefined : parseGrants(channels),
  };
}

/** From seconds, which may have a fraction and be as large as a number can, to whole ms that a Date can be of. */
function toMs(seconds: number, moreMs = 0): number {
  return Math.max(-MAX_DATE_MS, Math.min(Math.floor(seconds * 1000) + moreMs, MAX_DATE_MS));
}
