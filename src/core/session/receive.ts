import { decodeCommand } from '../../protocol/decode.js';
import type { Session } from './session.js';

/** A text frame of a session that speaks envelopes. Never throws. */
export function receiveEnvelope(session: Session, text: string): void {
  if (session.ended) return;
  const { telemetry } = session;
  const decoded = decodeCommand(text, session.host.limits.maxDataDepth);
  const id = decoded.ok ? decoded.command.id : decoded.fault.id;
  if (!session.takeCommand()) {
    telemetry.fault('rate_limited');
    session.fail('rate_limited', 'too many commands: wait and send this one again', id);
    session.strike('rateLimited', 'rate_limited');
    return;
  }
  if (!decoded.ok) {
    const { code, message, details } = decoded.fault;
    telemetry.fault(code);
    session.fail(code, message, id, details);
    if (code === 'bad_envelope') session.strike('badEnvelope', code);
    return;
  }
  session.forgive('badEnvelope');
  if (decoded.command.type === 'publish') telemetry.messagesIn(session.carrier.transport);
  session.inbox.add(decoded);
}
