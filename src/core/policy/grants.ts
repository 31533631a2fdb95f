import { Refused } from '../../protocol/refused.js';
import type { Action } from './action.js';
import { ACTIONS } from './action.js';
import type { Pattern } from './pattern.js';
import { matches, parsePattern } from './pattern.js';

/** What one line of a caller's own list of channels allows: a pattern, and what may be done there. */
export interface Grant {
  readonly pattern: Pattern;
  readonly actions: ReadonlySet<Action>;
}

const MAX_GRANTS = 256;
const KNOWN: ReadonlySet<string> = new Set(ACTIONS);

/**
 * Reads the claim `channels`: a map from a pattern to a list of what is allowed there. Throws `unauthenticated`
 * where it is anything else: a list that can't be read must not be taken for one that allows.
 */
export function parseGrants(claim: unknown): readonly Grant[] {
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim)) {
    throw badClaim('is not a map from patterns to lists of actions');
  }
  const entries = Object.entries(claim);
  if (entries.length > MAX_GRANTS) throw badClaim(`has more than ${MAX_GRANTS} patterns`);
  return entries.map(([text, actions]) => parseGrant(text, actions));
}

/** Everything that a list allows a caller on a channel: what any of its lines does. */
export function granted(grants: readonly Grant[], channel: string, sub: string | null): readonly Grant[] {
  return grants.filter(({ pattern }) => matches(pattern, channel, sub));
}

function parseGrant(text: string, actions: unknown): Grant {
  const pattern = parsePattern(text);
  if (pattern === undefined) throw badClaim('has a key that is not a pattern of channels');
  if (!Array.isArray(actions) || !actions.every(isAction)) {
    throw badClaim(`allows something else than ${ACTIONS.join(', ')}`);
  }
  return { pattern, actions: new Set(actions) };
}

function isAction(value: unknown): value is Action {
  return typeof value === 'string' && KNOWN.has(value);
}

function badClaim(what: string): Refused {
  return new Refused('unauthenticated', `the token's claim "channels" ${what}`);
}
