import type { CommandType } from '../../protocol/commands.js';
import type { Exceeded, Quota } from './quota.js';

/** The limit that one more command of so many bytes goes over, if any; else it is taken from all of them. */
export function takeCommand(quotas: readonly Quota[], now: number, bytes: number): Exceeded | undefined {
  for (const quota of quotas) {
    if (!quota.take('commands', now)) return { limit: 'commands', scope: quota.scope };
    if (!quota.take('bytes', now, bytes)) return { limit: 'bytes', scope: quota.scope };
  }
  return undefined;
}

/** The same for what only some commands are counted for, some of them several times. */
export function takeMore(
  quotas: readonly Quota[],
  now: number,
  type: CommandType | undefined,
  count = 1,
): Exceeded | undefined {
  if (type !== 'publish') return undefined;
  const full = quotas.find((quota) => !quota.take('publishes', now, count));
  return full && { limit: 'publishes', scope: full.scope };
}

/** What a peer is told of a limit. */
export function describeLimit({ limit, scope }: Exceeded): string {
  return `too many ${limit} ${WHOSE[scope]}: wait and send this one again`;
}

const WHOSE = {
  session: 'of this session',
  user: 'of this user',
  address: 'from this address',
  channel: 'to this channel',
  node: 'on this server',
} as const;
