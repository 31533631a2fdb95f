import { ACTIONS } from '../../src/core/policy/action.js';
import type { ChannelRule } from '../../src/core/policy/policy.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { DEFAULT_RETENTION } from '../../src/store/retention.js';

/** A rule that lets who has a token do anything, but for what is said. */
export function ruleOf(pattern: string, rule: Partial<ChannelRule> = {}): ChannelRule {
  return {
    pattern,
    isBuiltIn: false,
    anonymous: new Set(),
    authenticated: new Set(ACTIONS),
    presence: true,
    create: 'command',
    retention: DEFAULT_RETENTION,
    ownRetention: {},
    maxMessageBytes: undefined,
    publishesPerSecond: undefined,
    flushMs: 0,
    validate: undefined,
    ...rule,
  };
}

/** Anybody may do anything. */
export const openPolicy = new PolicyTable([ruleOf('**', { anonymous: new Set(ACTIONS) })]);
