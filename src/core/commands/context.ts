import type { ErrorCode } from '../../protocol/codes.js';
import type { Store } from '../../store/store.js';
import type { Hub } from '../fanout/hub.js';
import type { Presence } from '../fanout/presence.js';
import type { Limits } from '../limits.js';
import type { Identity, Policy } from '../policy/policy.js';
import type { LogError, Telemetry } from '../telemetry.js';

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

/** Who sent a command and gets its answer: a session, or one HTTP request. */
export interface Requester {
  readonly id: string;
  readonly identity: Identity;
  /** True where nobody waits for the answer any more. */
  readonly ended: boolean;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
  /** The answer, as the text of an envelope. */
  reply(text: string): void;
  /** The answer, where it is an error. */
  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void;
}
