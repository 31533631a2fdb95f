import type { PublishCommand } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { NewMessage } from '../../store/store.js';
import type { PublishChange } from '../hooks.js';
import type { ChannelRule } from '../policy/policy.js';
import { describeLimit } from '../quota/meter.js';
import { burstOf } from '../quota/rate.js';
import type { Release } from '../session/inbox.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';
import { callerOf } from './context.js';
import { reply } from './reply.js';

/** Stores the message and answers with its offset; readers hear of it from the store. */
export async function publish(
  context: CommandContext,
  requester: Requester,
  command: PublishCommand,
  dataText: string,
  release: Release,
): Promise<void> {
  const { id, channel, data, producer } = command;
  const { actor } = requester;
  const rule = context.policy.rule(channel);
  await authorize(context, actor, 'publish', channel);
  checkRate(context, requester, channel, rule);
  checkData(requester, rule, data, dataText);
  const { onPublish } = context.hooks;
  const change = onPublish === undefined ? undefined : await onPublish({ ...actor, channel, data, producer });
  const message = messageOf(requester.identity.name, dataText, change);
  const appended = context.store.append(channel, message, producer, rule.create !== 'server');
  release(); // the order is fixed by the call: the next publish need not wait for the answer
  const { offset, duplicate } = await appended;
  reply(requester, { type: 'published', id, channel, offset, duplicate });
}

function checkRate(
  context: CommandContext,
  { actor, telemetry }: Requester,
  channel: string,
  { publishesPerSecond }: ChannelRule,
): void {
  if (publishesPerSecond === undefined) return;
  const name = `on ${channel} ${callerOf(actor)}`; // a channel has no spaces, which a user may have
  if (context.rates.take(name, context.uptimeMs(), publishesPerSecond, burstOf(publishesPerSecond))) return;
  const exceeded = { limit: 'publishes', scope: 'channel' } as const;
  telemetry.limited(exceeded);
  throw new Refused('rate_limited', describeLimit(exceeded));
}

/** What a client publishes is checked before anything else sees it. */
function checkData(
  { telemetry }: Requester,
  { maxMessageBytes, validate }: ChannelRule,
  data: unknown,
  dataText: string,
): void {
  if (maxMessageBytes !== undefined && Buffer.byteLength(dataText) > maxMessageBytes) {
    telemetry.limited({ limit: 'size', scope: 'channel' });
    throw new Refused(
      'too_large',
      `the data of a message to this channel has at most ${maxMessageBytes} bytes`,
    );
  }
  const faults = validate?.(data) ?? [];
  const [first] = faults;
  if (first !== undefined) throw new Refused('bad_data', first, faults);
}

/** The text that came is stored as it is, unless the host changed it. */
function messageOf(from: string, dataText: string, change: PublishChange | undefined): NewMessage {
  if (change === undefined) return { from, data: dataText };
  return {
    from: change.from ?? from,
    data: change.data === undefined ? dataText : printed('data', change.data),
    ...(change.meta !== undefined && { meta: printed('meta', change.meta) }),
  };
}

/** Throws an Error for what JSON does not have: that is the host's to mend. */
function printed(what: 'data' | 'meta', value: unknown): string {
  let [text, cause]: [text: string | undefined, cause: unknown] = [undefined, undefined];
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error; // circular, or a bigint
  }
  if (text === undefined)
    throw new Error(`the hook onPublish gave ${what} that JSON does not have`, { cause });
  return text;
}
