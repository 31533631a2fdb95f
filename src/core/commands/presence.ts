import type { PresenceCommand } from '../../protocol/commands.js';
import { authorize } from './authorize.js';
import type { CommandContext, Requester } from './context.js';
import { reply } from './reply.js';

export async function presence(
  context: CommandContext,
  requester: Requester,
  { id, channel }: PresenceCommand,
): Promise<void> {
  await authorize(context, requester.actor, 'presence', channel);
  reply(requester, { type: 'presence', id, channel, ...context.presence.list(channel) });
}
