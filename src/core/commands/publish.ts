import type { PublishCommand } from '../../protocol/commands.js';
import type { Release } from '../session/inbox.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';
import { reply } from './reply.js';

/** Stores the message and answers with its offset; readers hear of it from the store. */
export async function publish(
  context: CommandContext,
  requester: Requester,
  { id, channel, producer }: PublishCommand,
  dataText: string,
  release: Release,
): Promise<void> {
  await authorize(context.policy, requester.identity, 'publish', channel);
  const appended = context.store.append(channel, { from: requester.identity.name, data: dataText }, producer);
  release(); // the order is fixed by the call: the next publish need not wait for the answer
  const { offset, duplicate } = await appended;
  reply(requester, { type: 'published', id, channel, offset, duplicate });
}
