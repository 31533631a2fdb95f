import type { AuthenticateCommand } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { Session } from '../session/session.js';
import type { CommandContext } from './context.js';
import { reply } from './reply.js';

/** Renews a session's token in place. It stays the same user's: another one connects anew. */
export async function authenticate(
  context: CommandContext,
  session: Session,
  { id, token }: AuthenticateCommand,
): Promise<void> {
  const identity = await context.authenticate(token);
  if (identity.user !== session.identity.user) {
    throw new Refused('forbidden', 'the token is of another user: connect with it instead');
  }
  session.identity = { ...identity, name: session.identity.name };
  reply(session, { type: 'authenticated', id, user: identity.user, expiresAt: identity.expiresAt });
}
