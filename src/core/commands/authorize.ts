import { Refused } from '../../protocol/refused.js';
import type { Action, Caller, Policy } from '../policy/policy.js';

/** Throws `forbidden` unless policy lets the caller do this. */
export async function authorize(
  policy: Policy,
  caller: Caller,
  action: Action,
  channel: string,
): Promise<void> {
  const verdict = policy.may(caller, action, channel);
  const may = typeof verdict === 'boolean' ? verdict : await verdict;
  if (may !== true) throw new Refused('forbidden', `you may not ${PHRASES[action]} this channel`);
}

const PHRASES: Record<Action, string> = {
  subscribe: 'subscribe to',
  publish: 'publish to',
  history: 'read the history of',
  presence: 'see who is in',
};
