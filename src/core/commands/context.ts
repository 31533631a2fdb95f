import type { Store } from '../../store/store.js';
import type { Hub } from '../hub.js';
import type { Limits } from '../limits.js';
import type { Policy } from '../policy.js';
import type { Presence } from '../presence.js';
import type { Identity } from '../session.js';

/** The node, as its commands see it. */
export interface CommandContext {
  readonly store: Store;
  readonly policy: Policy;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly limits: Limits;
  /** Who a token says it is. Throws `unauthenticated` for one that is not good. */
  readonly authenticate: (token: string) => Promise<Identity>;
  /** ms that only ever grow, with fractions. */
  uptimeMs(): number;
}
