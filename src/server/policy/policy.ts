import type * as z from 'zod';
import { ACTIONS, DEFAULT_ACTIONS } from '../../core/policy/action.js';
import type { ChannelRule } from '../../core/policy/policy.js';
import { PolicyTable } from '../../core/policy/table.js';
import type { Retention } from '../../store/store.js';
import type { rule } from '../options/channels.js';
import type { ResolvedOptions } from '../options/options.js';
import { OptionsError } from '../options/options.js';
import { validatorOf } from './validate.js';

const EVERYTHING = '**';

/** The table of rules that the options say. Throws an OptionsError that names the line. */
export function policyFrom(options: ResolvedOptions): PolicyTable {
  const given = Object.entries(options.channels ?? {});
  const rules = given.map(([pattern, rule]) => ruleFrom(pattern, rule, options));
  if (!rules.some(({ pattern }) => pattern === EVERYTHING)) rules.push(ruleForTheRest(options));
  try {
    return new PolicyTable(rules);
  } catch (error) {
    throw new OptionsError(`channels: ${messageOf(error)}`);
  }
}

function ruleFrom(pattern: string, given: z.output<typeof rule>, options: ResolvedOptions): ChannelRule {
  if (pattern.includes('{sub}') && given.anonymous.length > 0) {
    throw new OptionsError(
      `channels["${pattern}"]: {sub} is a user, and the anonymous are none: leave them out`,
    );
  }
  const { anonymous, authenticated, retention, schema, ...rest } = given;
  const ownRetention = saidOf(retention);
  return {
    ...rest,
    pattern,
    isBuiltIn: false,
    anonymous: new Set(anonymous),
    authenticated: new Set(authenticated),
    maxMessageBytes: rest.maxMessageBytes,
    publishesPerSecond: rest.publishesPerSecond,
    retention: { ...options.retention, ...ownRetention },
    ownRetention,
    validate: validateFrom(pattern, schema),
  };
}

/** What is said, without the keys of what is not. */
function saidOf({ messages, ageMs, bytes }: z.output<typeof rule>['retention']): Partial<Retention> {
  return {
    ...(messages !== undefined && { messages }),
    ...(ageMs !== undefined && { ageMs }),
    ...(bytes !== undefined && { bytes }),
  };
}

function validateFrom(pattern: string, schema: z.output<typeof rule>['schema']): ChannelRule['validate'] {
  if (schema === undefined) return undefined;
  try {
    return validatorOf(schema);
  } catch (error) {
    throw new OptionsError(`channels["${pattern}"].schema: ${messageOf(error)}`);
  }
}

/**
 * Where nothing is said of everything else: in development anybody may do anything; where there is a table, what
 * is not in it is nobody's but for what a token itself allows; where there is none, who has a token may do anything
 * but `manage`.
 */
function ruleForTheRest({ dev, channels, retention }: ResolvedOptions): ChannelRule {
  return {
    pattern: EVERYTHING,
    isBuiltIn: true,
    anonymous: new Set(dev ? ACTIONS : []),
    authenticated: new Set(dev ? ACTIONS : channels === undefined ? DEFAULT_ACTIONS : []),
    presence: true,
    create: 'command',
    retention,
    ownRetention: {},
    maxMessageBytes: undefined,
    publishesPerSecond: undefined,
    flushMs: 0,
    validate: undefined,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
