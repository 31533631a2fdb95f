import type { PublishCommand } from '../../protocol/commands.js';
import type { Release } from '../session/inbox.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';
import { admitMessage, takeChannelRate } from './message.js';
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
  const rule = context.policy.rule(channel);
  await authorize(context, requester.actor, 'publish', channel);
  takeChannelRate(context, requester, channel, 1);
  const message = await admitMessage(context, requester, { channel, data, given: dataText, producer });
  const appended = context.store.append(channel, [message], { producer, creates: rule.create !== 'server' });
  release(); // the order is fixed by the call: the next publish need not wait for the answer
  const { offset, duplicate } = await appended;
  reply(requester, { type: 'published', id, channel, offset, duplicate });
}
