import type { Producer } from '../../protocol/commands.js';
import { isJsonType } from '../../protocol/media.js';
import { Refused } from '../../protocol/refused.js';
import type { NewMessage } from '../../store/message.js';
import type { Appended } from '../../store/store.js';
import { authorize } from '../commands/authorize.js';
import type { Asker, CommandContext } from '../commands/context.js';
import { admitMessage, takeChannelRate } from '../commands/message.js';
import { describeLimit, takeCommand, takeMore } from '../quota/meter.js';
import type { Sessions } from '../session/sessions.js';
import type { Item } from './body.js';
import { itemsOf } from './body.js';
import type { Slices } from './slices.js';

/** The node, as its streams see it. */
export type StreamContext = CommandContext & { readonly sessions: Sessions; readonly slices: Slices };

/** A body to be appended to a channel as a stream. */
export interface AppendRequest {
  readonly channel: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly producer: Producer | undefined;
  /** Of the writers' own sequence (`Stream-Seq`). */
  readonly order: string | undefined;
  /** True: nothing follows this body, which may be empty. */
  readonly closes: boolean;
}

/**
 * Appends what a body stands for, all of it or none, and closes the channel where that is asked for. Throws what stands
 * in the way.
 */
export async function append(
  context: StreamContext,
  asker: Asker,
  request: AppendRequest,
): Promise<Appended> {
  const { channel, contentType, body, producer, order, closes } = request;
  const asked = body.length > 0 ? authorize(context, asker.actor, 'publish', channel) : undefined;
  if (asked !== undefined) await asked;
  if (closes) await authorize(context, asker.actor, 'manage', channel);
  const messages = await admitBody(context, asker, request);
  if (messages.length === 0 && !closes) throw new Refused('bad_request', 'there is nothing to append');
  const creates = context.policy.rule(channel).create === 'publish' && body.length > 0;
  if (creates && (await context.store.stat(channel)) === undefined)
    await context.store.create(channel, { contentType });
  return context.store.append(channel, messages, { contentType, producer, order, closes, creates: false });
}

/** The messages of a body, as they are to be stored. Throws where one of them may not be. */
export async function admitBody(
  context: StreamContext,
  asker: Asker,
  {
    channel,
    contentType,
    body,
    producer,
  }: Pick<AppendRequest, 'channel' | 'contentType' | 'body' | 'producer'>,
): Promise<NewMessage[]> {
  checkType(context, channel, contentType);
  const pace = context.slices.pace();
  const items: Item[] = [];
  for (const item of itemsOf(contentType, body, context.limits)) {
    items.push(item);
    const slice = pace.worked(item.given.length);
    if (slice !== undefined) await slice;
  }
  takeRoom(context, asker, body.length, items.length);
  takeChannelRate(context, asker, channel, items.length);
  const messages: NewMessage[] = [];
  for (const { data, given } of items) {
    asker.telemetry.messagesIn('http');
    const message = admitMessage(context, asker, { channel, data, given, producer });
    messages.push(message instanceof Promise ? await message : message);
    const slice = pace.worked(given.length);
    if (slice !== undefined) await slice;
  }
  return messages;
}

function checkType({ policy }: CommandContext, channel: string, contentType: string): void {
  if (policy.rule(channel).validate === undefined || isJsonType(contentType)) return;
  throw new Refused('conflict', 'what is published here has a schema: it is JSON');
}

/** Throws where so much is more than the caller may send in this time. */
function takeRoom(
  { sessions, uptimeMs }: StreamContext,
  { actor, telemetry }: Asker,
  bytes: number,
  messages: number,
): void {
  const quotas = sessions.quotasOfRequest(actor.caller.user, actor.address);
  if (quotas.length === 0) return;
  const now = uptimeMs();
  const exceeded = takeCommand(quotas, now, bytes) ?? takeMore(quotas, now, 'publish', messages);
  if (exceeded === undefined) return;
  telemetry.limited(exceeded);
  throw new Refused('rate_limited', describeLimit(exceeded));
}
