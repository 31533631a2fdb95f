import type { PublishCommand } from '../../protocol/commands.js';
import type { Release } from '../inbox.js';
import type { Session } from '../session.js';
import { authorize } from './authorize.js';
import type { CommandContext } from './context.js';
import { reply } from './reply.js';

/** Stores the message and answers with its offset; readers hear of it from the store. */
export async function publish(
  context: CommandContext,
  session: Session,
  { id, channel, producer }: PublishCommand,
  dataText: string,
  release: Release,
): Promise<void> {
  await authorize(context.policy, session, 'publish', channel);
  const appended = context.store.append(channel, { from: session.identity.name, data: dataText }, producer);
  release(); // the order is fixed by the call: the next publish need not wait for the answer
  const { offset, duplicate } = await appended;
  reply(session, { type: 'published', id, channel, offset, duplicate });
}
