import { decodeCommand } from '../../protocol/decode.js';
import type { Session } from './session.js';

/** A text frame of a session that speaks envelopes. Never throws. */
export function receiveEnvelope(session: Session, text: string): void {
  if (session.ended) return;
  const { telemetry } = session;
  const decoded = decodeCommand(text, session.host.limits.maxDataDepth);
  if (!session.takes(text.length, decoded.ok ? decoded.command : decoded.fault)) return;
  if (!decoded.ok) {
    const { code, message, id, details } = decoded.fault;
    telemetry.fault(code);
    session.fail(code, message, id, details);
    if (code === 'bad_envelope') session.strike('badEnvelope', code);
    return;
  }
  session.forgive('badEnvelope');
  if (decoded.command.type === 'publish') telemetry.messagesIn(session.carrier.transport);
  session.inbox.add(decoded);
}
