import { Command, Option } from 'commander';
import { ACTIONS } from '../core/policy/action.js';
import type { Caller, ChannelRule } from '../core/policy/policy.js';
import type { Verdict } from '../core/policy/table.js';
import { isChannel } from '../protocol/channel.js';
import { tokenChecker } from '../server/admission/tokens.js';
import type { ResolvedOptions } from '../server/options/options.js';
import { resolveOptions } from '../server/options/options.js';
import { policyFrom } from '../server/policy/policy.js';
import type { Flags } from '../server/settings/settings.js';
import { settingsFrom } from '../server/settings/settings.js';
import { CommandError } from './failure.js';
import { settingFlags } from './flags.js';
import type { Io } from './io.js';
import { columns, print, readStdin, say } from './io.js';

interface Explained {
  readonly channel: string;
  readonly caller: { readonly user: string | null; readonly name: string };
  /** The pattern whose rule holds. */
  readonly pattern: string;
  readonly connect: Verdict;
  readonly actions: Readonly<Record<(typeof ACTIONS)[number], Verdict>>;
  readonly retention: ChannelRule['retention'];
  readonly create: ChannelRule['create'];
  readonly presence: boolean;
  /** Null: what a frame takes. */
  readonly maxMessageBytes: number | null;
  readonly flushMs: number;
  readonly publishesPerSecond: number | null;
  readonly hasSchema: boolean;
  /** Hooks that have a say as well, which only the running server can ask. */
  readonly hooks: readonly string[];
}

const CREATE: Record<ChannelRule['create'], string> = {
  command: 'by a publish command, or a PUT of who may manage',
  publish: 'by whoever publishes, or a PUT of who may manage',
  server: 'by the server, or a PUT of who may manage',
};

const HELP = `
Takes every flag of "earshot serve" too. A token on the command line is visible to other users of this machine, and stays in
the history of the shell: with --token - it is read from stdin.

Examples:
  $ earshot explain chat/room
  $ earshot explain chat/room --user ann
  $ earshot token --sub ann | earshot explain chat/room --token -`;

export function explainCommand(io: Io): Command {
  return settingFlags(new Command('explain'), { hidden: true })
    .description(
      'says what a caller may do on a channel, by which line of the settings, and what else holds there',
    )
    .argument('<channel>', 'its name')
    .option(
      '--token <token>',
      'as the caller of this token; - reads it from stdin. Default: a caller without one',
    )
    .addOption(new Option('--user <user>', 'as a caller whose token names this user').conflicts('token'))
    .option('--json', 'as one object of JSON')
    .addHelpText('after', HELP)
    .action(async (channel: string, flags: Flags) => {
      if (!isChannel(channel)) throw CommandError.wrong(`"${channel}" is not the name of a channel`);
      const options = resolveOptions((await settingsFrom(flags, io.env, io.cwd)).options);
      const found = explain(channel, await callerOf(io, flags, options), options);
      print(io, flags['json'] === true ? JSON.stringify(found, null, 2) : inWords(found));
    });
}

async function callerOf(io: Io, { token, user }: Flags, options: ResolvedOptions): Promise<Caller> {
  if (typeof token === 'string') {
    const text = token === '-' ? (await readStdin(io)).trim() : token;
    const logError = (error: unknown) => say(io, `the keys can't be fetched: ${String(error)}`);
    return tokenChecker(options.token, { now: Date.now, fetch, logError })(text);
  }
  if (typeof user === 'string') return { user, name: user, claims: undefined };
  return { user: null, name: 'anonymous', claims: undefined };
}

function explain(channel: string, caller: Caller, options: ResolvedOptions): Explained {
  const policy = policyFrom(options);
  const rule = policy.rule(channel);
  const verdict = (action: (typeof ACTIONS)[number]) => policy.explain(caller, action, channel);
  return {
    channel,
    caller: { user: caller.user, name: caller.name },
    pattern: rule.pattern,
    connect: connectOf(caller, options),
    actions: {
      subscribe: verdict('subscribe'),
      publish: verdict('publish'),
      history: verdict('history'),
      presence: verdict('presence'),
      manage: verdict('manage'),
    },
    retention: rule.retention,
    create: rule.create,
    presence: rule.presence,
    maxMessageBytes: rule.maxMessageBytes ?? null,
    publishesPerSecond: rule.publishesPerSecond ?? null,
    flushMs: rule.flushMs,
    hasSchema: rule.validate !== undefined,
    hooks: Object.entries(options.hooks).flatMap(([name, hook]) => (hook === undefined ? [] : [name])),
  };
}

function connectOf({ user }: Caller, { anonymous }: ResolvedOptions): Verdict {
  if (user !== null) return { may: true, because: 'the token' };
  return { may: anonymous, because: `anonymous is ${anonymous}` };
}

function inWords(found: Explained): string {
  const { caller, retention, maxMessageBytes, publishesPerSecond, hooks } = found;
  const { messages, ageMs, bytes } = retention;
  const verdicts = [
    ['connect', found.connect] as const,
    ...ACTIONS.map((name) => [name, found.actions[name]] as const),
  ];
  return columns([
    ['channel', found.channel],
    ['rule', `channels["${found.pattern}"]`],
    ['caller', caller.user === null ? 'anonymous' : `${caller.user} (${caller.name})`],
    ...verdicts.map(([name, { may, because }]) => [name, `${may ? 'yes' : 'no'}: ${because}`]),
    ['retention', `${messages} messages, ${ageMs} ms, ${bytes} bytes`],
    ['create', CREATE[found.create]],
    ['presence is', found.presence ? 'told' : 'off'],
    ['maxMessageBytes', maxMessageBytes === null ? 'what a frame takes' : String(maxMessageBytes)],
    ['publishesPerSecond', publishesPerSecond === null ? 'as many as commands' : String(publishesPerSecond)],
    ['flushMs', found.flushMs === 0 ? 'one turn of the event loop' : String(found.flushMs)],
    ['schema', found.hasSchema ? 'yes: data is checked' : 'none'],
    ...(hooks.length === 0 ? [] : [['hooks', `${hooks.join(', ')}: they are not asked here`]]),
  ]);
}
