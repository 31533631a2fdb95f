import type { Reply } from '../../protocol/replies.js';
import type { Session } from '../session.js';

/** Answers a command with an envelope. */
export function reply(session: Session, envelope: Reply): void {
  session.reply(JSON.stringify(envelope));
}
