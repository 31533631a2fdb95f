import type { Reply } from '../../protocol/replies.js';
import type { Requester } from './context.js';

/** Answers a command with an envelope. */
export function reply(requester: Requester, envelope: Reply): void {
  requester.reply(JSON.stringify(envelope));
}
