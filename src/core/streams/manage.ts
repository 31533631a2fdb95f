import type { Start } from '../../protocol/offset.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Lifetime } from '../../store/creation.js';
import type { ChannelStat, Created, Page } from '../../store/store.js';
import { authorize } from '../commands/authorize.js';
import type { Asker, CommandContext } from '../commands/context.js';
import { MAX_PAGE_BYTES } from '../limits.js';
import type { StreamContext } from './append.js';
import { admitBody } from './append.js';

/** A channel to be made. */
export interface CreateRequest {
  readonly channel: string;
  /** undefined for a fork: that of its source. */
  readonly contentType: string | undefined;
  /** undefined for a fork: that of its source. */
  readonly lifetime: Lifetime | undefined;
  readonly body: Uint8Array;
  readonly closed: boolean;
  readonly fork:
    | { readonly source: string; readonly start: Start | undefined; readonly skip: number }
    | undefined;
}

/** Makes a channel that is kept whole, with what its body stands for. Throws what stands in the way. */
export async function create(
  context: StreamContext,
  asker: Asker,
  { channel, contentType, lifetime, body, closed, fork }: CreateRequest,
): Promise<Created> {
  const { actor } = asker;
  await authorize(context, actor, 'manage', channel);
  if (body.length > 0) await authorize(context, actor, 'publish', channel);
  if (fork !== undefined) await authorize(context, actor, 'history', fork.source);
  const type = contentType ?? (fork && (await typeOf(context, fork.source)));
  if (type === undefined) throw new Refused('not_found', 'the source does not exist');
  const messages = await admitBody(context, asker, {
    channel,
    contentType: type,
    body,
    producer: undefined,
  });
  return context.store.create(channel, {
    contentType,
    lifetime,
    messages,
    closed,
    whole: true,
    fork,
  });
}

/** Deletes a channel. Throws `not_found` where there is none. */
export async function remove(context: CommandContext, { actor }: Asker, channel: string): Promise<void> {
  await authorize(context, actor, 'manage', channel);
  if (!(await context.store.delete(channel))) throw noSuchChannel();
}

/** What a channel is like, for who may read it. */
export async function describe(
  context: CommandContext,
  { actor }: Asker,
  channel: string,
): Promise<ChannelStat> {
  await authorize(context, actor, 'history', channel);
  const stat = await context.store.stat(channel);
  if (stat === undefined) throw noSuchChannel();
  return stat;
}

/** A page of a channel that exists, for who may read it. Throws `gone` where what followed the offset isn't kept. */
export async function readPage(
  context: CommandContext,
  asker: Asker,
  channel: string,
  offset: string,
): Promise<{ readonly stat: ChannelStat; readonly page: Page }> {
  const start = parseOffset(offset);
  const stat = await describe(context, asker, channel);
  const bound = { messages: context.limits.historyPage, bytes: MAX_PAGE_BYTES };
  const page = await context.store.read(channel, start, bound);
  if (page.lost !== undefined) throw new Refused('gone', 'what followed that offset is no longer kept');
  return { stat, page };
}

async function typeOf({ store }: CommandContext, source: string): Promise<string | undefined> {
  return (await store.stat(source))?.contentType;
}

function noSuchChannel(): Refused {
  return new Refused('not_found', 'there is no such channel');
}
