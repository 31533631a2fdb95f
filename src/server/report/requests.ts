import type { FastifyRequest } from 'fastify';
import { withoutToken } from '../admission/credentials.js';

/** What Fastify logs of a request, but for a token in its URL. */
export function loggedRequest({ method, url, host, ip, socket }: FastifyRequest) {
  return { method, url: withoutToken(url), host, remoteAddress: ip, remotePort: socket.remotePort ?? 0 };
}

/** A request that can't be read is logged as what is wrong with it, without its bytes: tokens may be among them. */
export function withoutBytes(error: Error & { rawPacket?: unknown }): void {
  delete error.rawPacket;
}
