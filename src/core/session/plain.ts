import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { NOW } from '../../protocol/version.js';
import { authorize } from '../commands/authorize.js';
import type { CommandContext } from '../commands/context.js';
import type { Session } from './session.js';

/** A plain session begins: it is greeted, and hears the plain channel from now on. */
export async function beginPlain(context: CommandContext, session: Session, channel: string): Promise<void> {
  session.welcome();
  try {
    await authorize(context.policy, session.identity, 'subscribe', channel);
    const { subscription, page } = await context.hub.subscribe(session, channel, parseOffset(NOW), false);
    if (session.ended) {
      subscription.feed.end(subscription);
      return;
    }
    session.subscribed(subscription);
    subscription.begin(page);
  } catch (error) {
    failPlain(session, error);
  }
}

/** A text frame of a plain session: its text is a message of the plain channel. Never throws. */
export function receivePlain(session: Session, channel: string, text: string): void {
  if (session.ended) return;
  if (!session.takeCommand()) {
    session.telemetry.fault('rate_limited');
    session.fail('rate_limited', 'too many messages: wait and send this one again');
    session.strike('rateLimited', 'rate_limited');
    return;
  }
  const dataText = JSON.stringify(text);
  const { maxFrameBytes } = session.host.limits;
  if (dataText.length > maxFrameBytes) {
    session.fail('too_large', `as JSON the text has more than ${maxFrameBytes} characters`);
    return;
  }
  session.telemetry.messagesIn(session.carrier.transport);
  session.inbox.add({ command: { type: 'publish', id: 1, channel, data: text }, dataText });
}

/** What a plain client may not, ends it: there is no envelope to say it in. */
function failPlain(session: Session, error: unknown): void {
  if (!(error instanceof Refused)) session.logError(error, { session: session.id });
  const forbidden = error instanceof Refused && error.code === 'forbidden';
  session.end({
    close: forbidden ? 'forbidden' : 'internal',
    code: forbidden ? 'forbidden' : 'internal',
    cause: 'closed',
  });
}
