import type { SubscribeCommand } from '../../protocol/commands.js';
import type { Start } from '../../protocol/offset.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Page } from '../../store/store.js';
import type { Session } from '../session/session.js';
import { authorize } from './authorize.js';
import type { CommandContext } from './context.js';
import { reply } from './reply.js';

/** The reply comes before the first message; what the log has after the offset comes before what is new. */
export async function subscribe(
  context: CommandContext,
  session: Session,
  command: SubscribeCommand,
): Promise<void> {
  const { id, channel } = command;
  const start = parseOffset(command.offset);
  checkRoom(session, context.limits.maxSubscriptions, channel);
  await authorize(context.policy, session.identity, 'subscribe', channel);
  if (command.presence) await authorize(context.policy, session.identity, 'presence', channel);
  const { subscription, page } = await context.hub.subscribe(session, channel, start, command.presence);
  if (session.ended) {
    subscription.feed.end(subscription);
    return;
  }
  if (session.subscriptions.size >= context.limits.maxSubscriptions) {
    subscription.feed.end(subscription); // others that were under way at the same time took the room
    throw oneTooMany(session, context.limits.maxSubscriptions);
  }
  session.subscribed(subscription);
  const resume = resumeOf(start, page);
  session.telemetry.resumed(resume);
  const members = command.presence ? context.presence.list(channel) : {};
  reply(session, { type: 'subscribed', id, channel, offset: subscription.offset, resume, ...members });
  subscription.begin(page);
}

function checkRoom(session: Session, maxSubscriptions: number, channel: string): void {
  if (session.subscriptions.has(channel))
    throw new Refused('conflict', 'you are subscribed to this channel already');
  if (session.subscriptions.size >= maxSubscriptions) throw oneTooMany(session, maxSubscriptions);
  session.forgive('tooManySubscriptions');
}

function oneTooMany(session: Session, maxSubscriptions: number): Refused {
  session.strike('tooManySubscriptions', 'too_many');
  return new Refused('too_many', `a session has at most ${maxSubscriptions} subscriptions`);
}

function resumeOf(start: Start, page: Page): 'complete' | 'lost' | 'none' {
  if (typeof start === 'string') return 'none';
  return page.lost === undefined ? 'complete' : 'lost';
}
