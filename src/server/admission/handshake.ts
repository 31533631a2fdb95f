import type { IncomingMessage } from 'node:http';
import { Refused } from '../../protocol/refused.js';

/**
 * What ws lets pass and RFC 6455 §4.1 does not: another protocol version (ws would take version 8, and the
 * Origin from another header), HTTP/1.0, no Host, a body. Throws `bad_handshake` or `method_not_allowed`.
 */
export function checkHandshake({ headers, httpVersion, method }: IncomingMessage): void {
  if (method !== 'GET') throw new Refused('method_not_allowed', 'a handshake is a GET');
  if (httpVersion !== '1.1') throw new Refused('bad_handshake', 'the handshake must be HTTP/1.1');
  if (!headers.host) throw new Refused('bad_handshake', 'the Host header is missing');
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    throw new Refused('bad_handshake', 'a handshake has no body');
  }
  const version = headers['sec-websocket-version'];
  if (version !== '13') throw new Refused('bad_handshake', 'Sec-WebSocket-Version must be 13');
}

/** The subprotocols that a request offers. ws has refused a malformed header before this is asked. */
export function offeredSubprotocols({ headers }: IncomingMessage): Set<string> {
  const values = (headers['sec-websocket-protocol'] ?? '').split(',').map((value) => value.trim());
  return new Set(values.filter((value) => value !== ''));
}
