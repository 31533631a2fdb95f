import { parseOffset } from '../../protocol/offset.js';
import { NOW } from '../../protocol/version.js';
import type { CommandContext } from '../commands/context.js';
import { enter } from '../commands/subscribe.js';
import { endBecauseOf } from './fail.js';
import type { Session } from './session.js';

/** A plain session begins: it is greeted, and hears the plain channel from now on. */
export async function beginPlain(context: CommandContext, session: Session, channel: string): Promise<void> {
  session.welcome();
  try {
    const entered = await enter(context, session, channel, parseOffset(NOW), false);
    entered?.subscription.begin(entered.page);
  } catch (error) {
    endBecauseOf(session, error); // there is no envelope to say it in
  }
}

/** A text frame of a plain session: its text is a message of the plain channel. Never throws. */
export function receivePlain(session: Session, channel: string, text: string): void {
  if (session.ended) return;
  const dataText = JSON.stringify(text);
  const command = { type: 'publish', id: 1, channel, data: text } as const;
  if (!session.takes(dataText.length, command)) return;
  const { maxFrameBytes } = session.host.limits;
  if (dataText.length > maxFrameBytes) {
    session.fail('too_large', `as JSON the text has more than ${maxFrameBytes} characters`);
    return;
  }
  session.telemetry.messagesIn(session.carrier.transport);
  session.inbox.add({ command, dataText });
}
