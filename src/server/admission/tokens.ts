import type { JWTPayload } from 'jose';
import { errors, jwtVerify } from 'jose';
import type { Identity } from '../../core/policy/policy.js';
import { Refused } from '../../protocol/refused.js';
import type { ResolvedOptions } from '../options/options.js';

const MAX_NAME_LENGTH = 128;
const MAX_USER_LENGTH = 256;

/** Who a token says it is. Throws `unauthenticated` for one that is not good. */
export type CheckToken = (token: string) => Promise<Identity>;

/**
 * Checks JWTs that are signed with the configured secret: one named algorithm, `exp` and `sub` required.
 * No claim is used before the signature holds.
 */
export function tokenChecker(options: ResolvedOptions['token']): CheckToken {
  if (options === undefined) {
    return async () => {
      throw new Refused(
        'unauthenticated',
        'this server takes no tokens: it has no secret to check them with',
      );
    };
  }
  const key = new TextEncoder().encode([options.secret ?? ''].flat()[0]);
  const rules = { algorithms: [...(options.algorithms ?? ['HS256'])], requiredClaims: ['exp', 'sub'] };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, key, rules);
      return identityOf(payload);
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new Refused('unauthenticated', describe(error));
      throw error;
    }
  };
}

function identityOf(claims: JWTPayload): Identity {
  const { sub, exp = 0 } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_USER_LENGTH) {
    throw new Refused('unauthenticated', `the token's sub is not 1 to ${MAX_USER_LENGTH} characters`);
  }
  const { name } = claims as { name?: unknown };
  return {
    user: sub,
    name: cleanName(typeof name === 'string' && name !== '' ? name : sub),
    claims,
    expiresAt: Math.min(Math.floor(exp * 1000), Number.MAX_SAFE_INTEGER),
  };
}

/** A name ends up in lines of text: no control characters, and not without end. */
function cleanName(name: string): string {
  return name.replace(/\p{Cc}/gu, ' ').slice(0, MAX_NAME_LENGTH);
}

function describe(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `the token's ${error.claim} is missing or not good`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature is not good";
  return 'the token is not one that is accepted here';
}
