import type { PresenceCommand } from '../../protocol/commands.js';
import type { Session } from '../session.js';
import { authorize } from './authorize.js';
import type { CommandContext } from './context.js';
import { reply } from './reply.js';

export async function presence(
  context: CommandContext,
  session: Session,
  { id, channel }: PresenceCommand,
): Promise<void> {
  await authorize(context.policy, session, 'presence', channel);
  reply(session, { type: 'presence', id, channel, ...context.presence.list(channel) });
}
