import type { HistoryCommand } from '../../protocol/commands.js';
import { encodeHistory } from '../../protocol/encode.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { MAX_PAGE_BYTES } from '../limits.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';

/** A page of the log: at most `limit` messages, fewer where they are large. */
export async function history(
  context: CommandContext,
  requester: Requester,
  { id, channel, offset, limit }: HistoryCommand,
): Promise<void> {
  const start = parseOffset(offset);
  await authorize(context, requester.actor, 'history', channel);
  const bound = { messages: Math.min(limit, context.limits.historyPage), bytes: MAX_PAGE_BYTES };
  const page = await context.store.read(channel, start, bound);
  if (page.lost !== undefined) {
    throw new Refused('gone', 'what followed that offset is no longer kept: ask from "-1"');
  }
  requester.reply(encodeHistory(id, channel, page));
}
