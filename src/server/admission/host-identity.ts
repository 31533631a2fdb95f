import type { Grant } from '../../core/policy/grants.js';
import { parseGrants } from '../../core/policy/grants.js';
import type { Identity } from '../../core/policy/policy.js';
import type { ConnectIdentity } from '../options/hooks.js';
import { cleanName } from './names.js';

const MAX_USER_LENGTH = 256;

/**
 * The identity with what the host says of it. A user that the host names, and the token does not, is the host's own to
 * revoke: a revocation here is of tokens. Throws an Error where the host says what can't be.
 */
export function identityFromHost(identity: Identity, known: ConnectIdentity): Identity {
  check(known);
  const { user = identity.user, name } = known;
  const isNew = user !== null && user !== identity.user;
  const says = {
    ...(isNew && { user, issuedAt: Number.POSITIVE_INFINITY, tokenId: undefined }),
    ...wordOf(known),
  };
  return {
    ...identity,
    ...says,
    name: cleanName(name || (isNew ? user : identity.name)),
    host: { tokenUser: identity.user, says },
  };
}

function wordOf({ channels, claims, expiresAt }: ConnectIdentity): Partial<Identity> {
  return {
    ...(channels !== undefined && { grants: grantsFrom(channels) }),
    ...(claims !== undefined && { claims }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** What comes from code that nothing has compiled may be anything. */
function check({
  user,
  name,
  claims,
  expiresAt,
}: Partial<Readonly<Record<keyof ConnectIdentity, unknown>>>): void {
  if (user !== undefined && (typeof user !== 'string' || user === '' || user.length > MAX_USER_LENGTH))
    throw nonsense(`a user that is not 1 to ${MAX_USER_LENGTH} characters`);
  if (name !== undefined && typeof name !== 'string') throw nonsense('a name that is no text');
  if (claims !== undefined && (typeof claims !== 'object' || claims === null))
    throw nonsense('claims that are no object');
  if (expiresAt !== undefined && !Number.isFinite(expiresAt))
    throw nonsense('an expiresAt that is no number of ms');
}

function grantsFrom(channels: NonNullable<ConnectIdentity['channels']>): readonly Grant[] {
  try {
    return parseGrants(channels);
  } catch (error) {
    throw nonsense('channels that are no map from patterns to actions', error);
  }
}

function nonsense(what: string, cause?: unknown): Error {
  return new Error(`the hook onConnect gave ${what}`, { cause });
}
