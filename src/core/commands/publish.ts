import type { PublishCommand } from '../../protocol/commands.js';
import { encodePublished } from '../../protocol/encode.js';
import type { Release } from '../session/inbox.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';
import { admitMessage, takeChannelRate } from './message.js';

/**
 * Stores the message and answers with its offset; readers hear of it from the store. It waits only where there is
 * something to wait for: each `await` costs as much as the rest of it.
 */
export async function publish(
  context: CommandContext,
  requester: Requester,
  command: PublishCommand,
  dataText: string,
  release: Release,
): Promise<void> {
  const { id, channel, data, producer } = command;
  const rule = context.policy.rule(channel);
  const asked = authorize(context, requester.actor, 'publish', channel);
  if (asked !== undefined) await asked;
  takeChannelRate(context, requester, channel, 1);
  const admitted = admitMessage(context, requester, { channel, data, given: dataText, producer });
  const message = admitted instanceof Promise ? await admitted : admitted;
  const appended = context.store.append(channel, [message], { producer, creates: rule.create !== 'server' });
  release(); // the order is fixed by the call: the next publish need not wait for the answer
  const { offset, duplicate } = await appended;
  requester.reply(encodePublished(id, channel, offset, duplicate));
}
