import type { UnsubscribeCommand } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { Session } from '../session/session.js';
import { reply } from './reply.js';

export async function unsubscribe(session: Session, { id, channel }: UnsubscribeCommand): Promise<void> {
  const subscription = session.subscriptions.get(channel);
  if (subscription === undefined) throw new Refused('not_found', 'you are not subscribed to this channel');
  subscription.feed.end(subscription);
  reply(session, { type: 'unsubscribed', id, channel });
}
