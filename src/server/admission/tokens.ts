import type { Identity } from '../../core/policy/policy.js';
import { Refused } from '../../protocol/refused.js';
import type { ResolvedOptions } from '../options/options.js';
import { issuersFrom } from './tokens/issuers.js';
import type { RemoteKeysParts } from './tokens/remote-keys.js';
import { Verifier } from './tokens/verifier.js';

/** Who a token says it is. Throws `unauthenticated` for one that is not good, `unavailable` where nobody can tell. */
export type CheckToken = (token: string) => Promise<Identity>;

/**
 * Checks signed tokens (JWT) of the configured issuers; `exp` and `sub` are required. Throws an OptionsError, which
 * names the option, for keys that can't be read, are too weak, or don't fit the algorithms.
 */
export function tokenChecker(options: ResolvedOptions['token'], parts: RemoteKeysParts): CheckToken {
  if (options !== undefined) {
    const verifier = new Verifier(issuersFrom(options, parts), options.clockToleranceMs, parts.now);
    return (token) => verifier.verify(token);
  }
  return async () => {
    throw new Refused(
      'unauthenticated',
      'this server takes no tokens: it has no secret or key to check them with',
    );
  };
}
