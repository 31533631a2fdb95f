import type { Start } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { NOW } from '../../protocol/version.js';
import type { ChannelStat } from '../../store/store.js';
import type { CommandContext } from '../commands/context.js';
import type { Entered } from '../commands/subscribe.js';
import { join, permit, resumeOf } from '../commands/subscribe.js';
import type { Subscription } from '../fanout/subscription.js';
import type { Session } from '../session/session.js';

/** A channel to be followed, and from where. */
export interface Wish {
  readonly channel: string;
  readonly start: Start;
}

/**
 * The session of a response follows one channel that exists, until either ends. `onFound` is called before anything is
 * handed to the carrier. Resolves with undefined where the session has ended meanwhile. Throws what stands in the way:
 * then the session is to be ended by the caller.
 */
export async function followOne(
  context: CommandContext,
  session: Session,
  { channel, start }: Wish,
  onFound: (stat: ChannelStat) => void,
): Promise<Subscription | undefined> {
  await permit(context, session, channel, start, false);
  const stat = await context.store.stat(channel);
  if (stat === undefined) throw new Refused('not_found', 'there is no such channel');
  onFound(stat);
  const entered = await join(context, session, channel, start, false);
  if (entered !== undefined) begin(session, start, entered);
  return entered?.subscription;
}

/**
 * The session of a response follows several channels, whether they exist or not. Those that begin at the tail are
 * entered before anything is handed to the carrier: `onEntered` tells where that is, so that whatever the reader gets
 * first, it has a position in all of them. Throws where one can't be followed, before anything is handed over where it
 * is not permitted: then the session is to be ended by the caller.
 */
export async function followMany(
  context: CommandContext,
  session: Session,
  wishes: readonly Wish[],
  presence: boolean,
  onEntered: (channel: string, offset: string) => void,
): Promise<void> {
  await session.assemble(async () => {
    for (const { channel, start } of wishes) await permit(context, session, channel, start, presence);
    const atTail: Entered[] = [];
    for (const { channel } of wishes.filter(({ start }) => start === NOW)) {
      const entered = await join(context, session, channel, NOW, presence);
      if (entered === undefined) return;
      onEntered(channel, entered.page.offset);
      atTail.push(entered);
    }
    for (const entered of atTail) begin(session, NOW, entered);
    for (const { channel, start } of wishes.filter(({ start }) => start !== NOW)) {
      const entered = await join(context, session, channel, start, presence);
      if (entered === undefined) return;
      begin(session, start, entered); // one after the other: what is read at once is bounded by what finds room
    }
  });
}

function begin(session: Session, start: Start, { subscription, page }: Entered): void {
  if (subscription.state === 'ended') return;
  session.telemetry.resumed(resumeOf(start, page));
  subscription.begin(page, page.lost);
}
