import { Refused } from '../../protocol/refused.js';
import type { Actor } from '../hooks.js';
import type { Action } from '../policy/action.js';
import type { CommandContext } from './context.js';

type Judges = Pick<CommandContext, 'policy' | 'hooks'>;

/**
 * Throws `forbidden` unless the host, or where that has nothing to say the table, lets the caller do this. Without a
 * host that is asked there is nothing to wait for, and an undefined.
 */
export function authorize(
  judges: Judges,
  actor: Actor,
  action: Action,
  channel: string,
): Promise<void> | undefined {
  if (judges.hooks.authorize !== undefined) return askHost(judges, actor, action, channel);
  if (!judges.policy.may(actor.caller, action, channel)) throw forbidden(action);
  return undefined;
}

/** The same as a question. */
export async function mayAct(
  { policy, hooks }: Judges,
  actor: Actor,
  action: Action,
  channel: string,
): Promise<boolean> {
  const verdict =
    hooks.authorize === undefined ? undefined : await hooks.authorize({ ...actor, action, channel });
  return verdict === undefined ? policy.may(actor.caller, action, channel) : verdict === true;
}

async function askHost(judges: Judges, actor: Actor, action: Action, channel: string): Promise<void> {
  if (!(await mayAct(judges, actor, action, channel))) throw forbidden(action);
}

function forbidden(action: Action): Refused {
  return new Refused('forbidden', `you may not ${PHRASES[action]} this channel`);
}

const PHRASES: Record<Action, string> = {
  subscribe: 'subscribe to',
  publish: 'publish to',
  history: 'read the history of',
  presence: 'see who is in',
  manage: 'make, close or delete',
};
