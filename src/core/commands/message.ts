import type { Producer } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { MessageData, NewMessage } from '../../store/message.js';
import type { CoreHooks, PublishChange } from '../hooks.js';
import type { ChannelRule } from '../policy/policy.js';
import { describeLimit } from '../quota/meter.js';
import { burstOf } from '../quota/rate.js';
import type { Asker, CommandContext } from './context.js';
import { callerOf } from './context.js';

/** What somebody who may publish wants to have stored. */
export interface Offered {
  readonly channel: string;
  /** The JSON value; bytes where the channel is not JSON. */
  readonly data: unknown;
  /** The same as it came: the JSON text, or the bytes. */
  readonly given: MessageData;
  readonly producer: Producer | undefined;
}

/**
 * What the channel's rule and the host make of one message: what is to be stored. Throws where they don't take it.
 * Without a host that is asked there is nothing to wait for.
 */
export function admitMessage(
  context: CommandContext,
  asker: Asker,
  offered: Offered,
): NewMessage | Promise<NewMessage> {
  checkData(asker, context.policy.rule(offered.channel), offered);
  const { onPublish } = context.hooks;
  if (onPublish !== undefined) return changedBy(onPublish, asker, offered);
  return { from: asker.identity.name, data: offered.given };
}

async function changedBy(
  onPublish: NonNullable<CoreHooks['onPublish']>,
  { actor, identity }: Asker,
  { channel, data, given, producer }: Offered,
): Promise<NewMessage> {
  return messageOf(identity.name, given, await onPublish({ ...actor, channel, data, producer }));
}

/** Throws where so many messages are more than the caller may send to the channel in this time. */
export function takeChannelRate(
  context: CommandContext,
  { actor, telemetry }: Asker,
  channel: string,
  count: number,
): void {
  const { publishesPerSecond } = context.policy.rule(channel);
  if (publishesPerSecond === undefined) return;
  const name = `on ${channel} ${callerOf(actor)}`; // a channel has no spaces, which a user may have
  const burst = burstOf(publishesPerSecond);
  if (context.rates.take(name, context.uptimeMs(), publishesPerSecond, burst, count)) return;
  const exceeded = { limit: 'publishes', scope: 'channel' } as const;
  telemetry.limited(exceeded);
  throw new Refused('rate_limited', describeLimit(exceeded));
}

/** What a client publishes is checked before anything else sees it. */
function checkData(
  { telemetry }: Asker,
  { maxMessageBytes, validate }: ChannelRule,
  { data, given }: Offered,
): void {
  if (maxMessageBytes !== undefined && bytesIn(given) > maxMessageBytes) {
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

function bytesIn(given: MessageData): number {
  return typeof given === 'string' ? Buffer.byteLength(given) : given.length;
}

/** What came is stored as it is, unless the host changed it. */
function messageOf(from: string, given: MessageData, change: PublishChange | undefined): NewMessage {
  if (change === undefined) return { from, data: given };
  return {
    from: change.from ?? from,
    data: change.data === undefined ? given : changed(given, change.data),
    ...(change.meta !== undefined && { meta: printed('meta', change.meta) }),
  };
}

function changed(given: MessageData, data: unknown): MessageData {
  if (typeof given === 'string') return printed('data', data);
  if (data instanceof Uint8Array) return data;
  throw new Error('the hook onPublish gave something else than a Uint8Array for a channel of bytes');
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
