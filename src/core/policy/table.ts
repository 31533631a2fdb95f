import type { Action } from './action.js';
import { granted } from './grants.js';
import type { Caller, ChannelRule } from './policy.js';
import { Rules } from './rules.js';

/** Whether a caller may, and by which line of the table or of its token. */
export interface Verdict {
  readonly may: boolean;
  readonly because: string;
}

/** Policy as a table: one rule for each pattern of channels, and what callers bring in their tokens. */
export class PolicyTable {
  readonly #rules: Rules;

  /** `rules` has one for `**`. Throws an Error in words where two of them tie. */
  constructor(rules: readonly ChannelRule[]) {
    this.#rules = new Rules(rules);
  }

  /** What holds on a channel, whoever uses it. */
  rule(channel: string): ChannelRule {
    return this.#rules.find(channel);
  }

  /** Asked for every command. */
  may(caller: Caller, action: Action, channel: string): boolean {
    return this.explain(caller, action, channel).may;
  }

  /** The first of these that allows it: the rule for the anonymous, the token's own list, the rule for the authenticated. */
  explain(caller: Caller, action: Action, channel: string): Verdict {
    const rule = this.rule(channel);
    const line = `channels["${rule.pattern}"]${rule.isBuiltIn ? ' (built in)' : ''}`;
    if (action === 'presence' && !rule.presence) return refusedBy(`${line}.presence is off`);
    if (rule.anonymous.has(action)) return allowedBy(`${line}.anonymous`);
    if (caller.user === null) return refusedBy(`${line}.anonymous does not name it, and there is no token`);
    if (caller.grants !== undefined) return explainGrants(caller, caller.grants, action, channel);
    if (this.#rules.isOthers(channel, caller.user)) return refusedBy(`${line} is for another user`);
    if (rule.authenticated.has(action)) return allowedBy(`${line}.authenticated`);
    return refusedBy(`${line}.authenticated does not name it`);
  }
}

function explainGrants(
  { user }: Caller,
  grants: NonNullable<Caller['grants']>,
  action: Action,
  channel: string,
): Verdict {
  const grant = granted(grants, channel, user).find(({ actions }) => actions.has(action));
  if (grant === undefined) return refusedBy('no line of the token\'s claim "channels" names it');
  return allowedBy(`the token's claim channels["${grant.pattern.text}"]`);
}

function allowedBy(because: string): Verdict {
  return { may: true, because };
}

function refusedBy(because: string): Verdict {
  return { may: false, because };
}
