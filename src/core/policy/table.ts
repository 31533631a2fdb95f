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
    return this.#ground(this.rule(channel), caller, action, channel).may;
  }

  explain(caller: Caller, action: Action, channel: string): Verdict {
    const rule = this.rule(channel);
    const line = `channels["${rule.pattern}"]${rule.isBuiltIn ? ' (built in)' : ''}`;
    const { may, because } = this.#ground(rule, caller, action, channel);
    return { may, because: because(line) };
  }

  /** The first of these that allows it: the rule for the anonymous, the token's own list, the rule for the authenticated. */
  #ground(rule: ChannelRule, caller: Caller, action: Action, channel: string): Ground {
    if (action === 'presence' && !rule.presence) return NO_PRESENCE;
    if (rule.anonymous.has(action)) return ANYBODY;
    if (caller.user === null) return NO_TOKEN;
    if (caller.grants !== undefined) return groundOf(caller, caller.grants, action, channel);
    if (this.#rules.isOthers(channel, caller.user)) return ANOTHERS;
    return rule.authenticated.has(action) ? ANY_USER : NO_USER;
  }
}

/** What a verdict is based on; in words only where somebody wants to know. */
interface Ground {
  readonly may: boolean;
  /** `line` names the rule. */
  because(line: string): string;
}

const NO_PRESENCE: Ground = { may: false, because: (line) => `${line}.presence is off` };
const ANYBODY: Ground = { may: true, because: (line) => `${line}.anonymous` };
const NO_TOKEN: Ground = {
  may: false,
  because: (line) => `${line}.anonymous does not name it, and there is no token`,
};
const ANOTHERS: Ground = { may: false, because: (line) => `${line} is for another user` };
const ANY_USER: Ground = { may: true, because: (line) => `${line}.authenticated` };
const NO_USER: Ground = { may: false, because: (line) => `${line}.authenticated does not name it` };
const NO_GRANT: Ground = {
  may: false,
  because: () => 'no line of the token\'s claim "channels" names it',
};

function groundOf(
  { user }: Caller,
  grants: NonNullable<Caller['grants']>,
  action: Action,
  channel: string,
): Ground {
  const grant = granted(grants, channel, user).find(({ actions }) => actions.has(action));
  if (grant === undefined) return NO_GRANT;
  return { may: true, because: () => `the token's claim channels["${grant.pattern.text}"]` };
}
