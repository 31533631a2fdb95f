import { ERRORS } from '../../protocol/codes.js';
import { Refused } from '../../protocol/refused.js';
import type { Session } from './session.js';

/** Ends a session by what stands in the way of what it is for, where no answer is left to say it in. */
export function endBecauseOf(session: Session, error: unknown): void {
  if (!(error instanceof Refused)) session.journal.error(error, { session: session.id });
  const code = error instanceof Refused ? error.code : 'internal';
  session.end({ close: ERRORS[code].advice === 'retry' ? 'internal' : 'forbidden', code, cause: 'closed' });
}
