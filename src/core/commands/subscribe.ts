import type { SubscribeCommand } from '../../protocol/commands.js';
import type { Start } from '../../protocol/offset.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Page } from '../../store/store.js';
import type { Subscription } from '../fanout/subscription.js';
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
  const entered = await enter(context, session, channel, start, command.presence);
  if (entered === undefined) return;
  const { subscription, page } = entered;
  const resume = resumeOf(start, page);
  session.telemetry.resumed(resume);
  const members = command.presence ? context.presence.list(channel) : {};
  reply(session, { type: 'subscribed', id, channel, offset: subscription.offset, resume, ...members });
  subscription.begin(page);
}

/**
 * A subscription of the session, which is yet to begin, and the page of the log that follows it; undefined where the
 * session has ended meanwhile. Throws what stands in the way.
 */
export async function enter(
  context: CommandContext,
  session: Session,
  channel: string,
  start: Start,
  presence: boolean,
): Promise<Entered | undefined> {
  await permit(context, session, channel, start, presence);
  return join(context, session, channel, start, presence);
}

export interface Entered {
  readonly subscription: Subscription;
  readonly page: Page;
}

/** Throws where the session may not subscribe, or has no room for one more. */
export async function permit(
  context: CommandContext,
  session: Session,
  channel: string,
  start: Start,
  presence: boolean,
): Promise<void> {
  const { actor } = session;
  checkRoom(session, context.limits.maxSubscriptions, channel);
  await authorize(context, actor, 'subscribe', channel);
  if (presence) await authorize(context, actor, 'presence', channel);
  await context.hooks.onSubscribe?.({ ...actor, channel, start, presence });
}

/** As `enter`, for who was permitted. */
export async function join(
  context: CommandContext,
  session: Session,
  channel: string,
  start: Start,
  presence: boolean,
): Promise<Entered | undefined> {
  if (session.ended) return undefined;
  const entered = await context.hub.subscribe(session, channel, start, presence);
  const { subscription } = entered;
  if (session.ended) {
    subscription.feed.end(subscription);
    return undefined;
  }
  try {
    checkCount(session, context.limits.maxSubscriptions); // others that were under way may have taken the room
  } catch (error) {
    subscription.feed.end(subscription);
    throw error;
  }
  session.subscribed(subscription);
  return entered;
}

function checkRoom(session: Session, maxSubscriptions: number, channel: string): void {
  if (session.subscriptions.has(channel))
    throw new Refused('conflict', 'you are subscribed to this channel already');
  checkCount(session, maxSubscriptions);
  session.forgive('tooManySubscriptions');
}

function checkCount(session: Session, maxSubscriptions: number): void {
  const full = session.quotas.find((quota) => !quota.hasRoomForSubscription);
  if (session.subscriptions.size < maxSubscriptions && full === undefined) return;
  session.telemetry.limited({ limit: 'subscriptions', scope: full?.scope ?? 'session' });
  session.strike('tooManySubscriptions', 'too_many');
  throw new Refused(
    'too_many',
    full === undefined
      ? `a session has at most ${maxSubscriptions} subscriptions`
      : `there are too many subscriptions of this ${full.scope}`,
  );
}

/** What became of the position that was asked for. */
export function resumeOf(start: Start, page: Page): 'complete' | 'lost' | 'none' {
  if (typeof start === 'string') return 'none';
  return page.lost === undefined ? 'complete' : 'lost';
}
