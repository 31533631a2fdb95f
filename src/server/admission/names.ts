import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ResolvedOptions } from '../options/options.js';

/** The peer's address; IPv4 as IPv4, also where the socket is IPv6. */
export function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '');
}

/** What a caller without a token is called. */
export function anonymousName(request: IncomingMessage, kind: ResolvedOptions['anonymousNames']): string {
  if (kind === 'random') return `guest-${randomBytes(4).toString('hex')}`;
  const address = addressOf(request);
  return `${address.includes(':') ? `[${address}]` : address}:${request.socket.remotePort ?? 0}`;
}
