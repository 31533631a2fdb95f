import type { AuthenticateCommand } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { Subscription } from '../fanout/subscription.js';
import type { Session } from '../session/session.js';
import { mayAct } from './authorize.js';
import type { CommandContext } from './context.js';
import { reply } from './reply.js';

/**
 * Renews a session's token in place. It stays the same user's: another one connects anew. Subscriptions that the new
 * token doesn't allow end in words.
 */
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
  for (const subscription of [...session.subscriptions.values()]) {
    if (!(await mayStay(context, session, subscription))) {
      const { channel } = subscription;
      subscription.feed.end(subscription, { type: 'unsubscribed', channel, code: 'forbidden' });
    }
  }
}

async function mayStay(
  context: CommandContext,
  { actor }: Session,
  { channel, presence }: Subscription,
): Promise<boolean> {
  if (!(await mayAct(context, actor, 'subscribe', channel))) return false;
  return !presence || mayAct(context, actor, 'presence', channel);
}
