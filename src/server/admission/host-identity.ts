import type { Grant } from '../../core/policy/grants.js';
import { parseGrants } from '../../core/policy/grants.js';
import type { Identity } from '../../core/policy/policy.js';
import type { ConnectIdentity } from '../options/hooks.js';
import { cleanName } from './names.js';

const MAX_USER_LENGTH = 256;

/**
 * The identity with what the host says of it. A user that the host names is its own to revoke: a revocation here is
 * of tokens. Throws an Error where the host says what can't be.
 */
export function identityFromHost(identity: Identity, known: ConnectIdentity): Identity {
  const { user = identity.user, name, channels, claims = identity.claims, expiresAt } = known;
  if (user !== null && (typeof user !== 'string' || user === '' || user.length > MAX_USER_LENGTH)) {
    throw new Error(`onConnect gave a user that is not 1 to ${MAX_USER_LENGTH} characters`);
  }
  return {
    ...identity,
    user,
    name: cleanName(name ?? (known.user === undefined ? identity.name : known.user)),
    claims,
    expiresAt: expiresAt ?? identity.expiresAt,
    ...(channels !== undefined && { grants: grantsFrom(channels) }),
    ...(known.user !== undefined && { issuedAt: Number.POSITIVE_INFINITY, tokenId: undefined }),
  };
}

function grantsFrom(channels: NonNullable<ConnectIdentity['channels']>): readonly Grant[] {
  try {
    return parseGrants(channels);
  } catch (error) {
    throw new Error('onConnect gave channels that are no map from patterns to actions', { cause: error });
  }
}
