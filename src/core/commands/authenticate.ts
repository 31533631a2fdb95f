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
  const renewed = await context.authenticate(token);
  const { user, name, host } = session.identity;
  if (renewed.user !== (host === undefined ? user : host.tokenUser)) {
    throw new Refused('forbidden', 'the token is of another user: connect with it instead');
  }
  session.identity = { ...renewed, ...host?.says, name, host };
  reply(session, { type: 'authenticated', id, user, expiresAt: session.identity.expiresAt });
  for (const subscription of [...session.subscriptions.values()]) {
    if (!(await mayStay(context, session, subscription))) {
      const { channel } = subscription;
      subscription.feed.end(subscription, { type: 'unsubscribed', channel, code: 'forbidden' });
    }
  }
}

/** No wherever the host can't say: the renewal is answered already, and the next subscription is to be looked at too. */
async function mayStay(
  context: CommandContext,
  { actor, id, address, journal }: Session,
  { channel, presence }: Subscription,
): Promise<boolean> {
  try {
    if (!(await mayAct(context, actor, 'subscribe', channel))) return false;
    return !presence || (await mayAct(context, actor, 'presence', channel));
  } catch (error) {
    if (!(error instanceof Refused)) journal.error(error, { session: id, channel, address });
    return false;
  }
}
