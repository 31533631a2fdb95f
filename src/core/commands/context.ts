import type { ErrorCode } from '../../protocol/codes.js';
import type { Store } from '../../store/store.js';
import type { Hub } from '../fanout/hub.js';
import type { Presence } from '../fanout/presence.js';
import type { Actor, CoreHooks } from '../hooks.js';
import type { Limits } from '../limits.js';
import type { Identity } from '../policy/policy.js';
import type { PolicyTable } from '../policy/table.js';
import { networkOf } from '../quota/network.js';
import type { Rates } from '../quota/rates.js';
import type { Journal, Telemetry } from '../telemetry.js';

/** The node, as its commands see it. */
export interface CommandContext {
  readonly store: Store;
  readonly policy: PolicyTable;
  readonly hooks: CoreHooks;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly limits: Limits;
  /** By caller, or by caller and channel. */
  readonly rates: Rates;
  /** Who a token says it is. Throws `unauthenticated` for one that is not good. */
  readonly authenticate: (token: string) => Promise<Identity>;
  /** ms that only ever grow, with fractions. */
  uptimeMs(): number;
}

/** Who wants something done: a session, or one HTTP request. */
export interface Asker {
  readonly identity: Identity;
  readonly actor: Actor;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
}

/** Who sent a command and gets its answer. */
export interface Requester extends Asker {
  readonly id: string;
  /** True where nobody waits for the answer any more. */
  readonly ended: boolean;
  /** The answer, as the text of an envelope. */
  reply(text: string): void;
  /** The answer, where it is an error. */
  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void;
}

/** Whose rates somebody without a session counts for: the user's, or where there is none those of the address. */
export function callerOf({ caller, address }: Actor): string {
  return caller.user === null ? `address ${networkOf(address)}` : `user ${caller.user}`;
}
