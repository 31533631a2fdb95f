import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import { createSecureServer } from 'node:http2';
import type { SecureTimes } from './http2-bounds.js';
import { Http2Bounds } from './http2-bounds.js';
import type { TlsOptions } from './tls.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Requests that one connection may have open at a time: of HTTP/2, RFC 9113 §6.5.2 asks for 100 at least. */
export const MAX_REQUESTS_AT_A_TIME = 128;

/**
 * One port for all that comes over TLS: HTTP/2 for those who offer it, else HTTP/1.1, which alone has the upgrade to a
 * WebSocket. `handler` gets the requests of both, with the face of `node:http`.
 */
export function secureServer(tls: TlsOptions, times: SecureTimes, handler: Handler): Http2SecureServer {
  const server = createSecureServer({
    ...tls,
    allowHTTP1: true,
    handshakeTimeout: times.headersTimeoutMs,
    // Where extended CONNECT (RFC 8441) is on offer, browsers bring their WebSockets over HTTP/2.
    settings: { maxConcurrentStreams: MAX_REQUESTS_AT_A_TIME, enableConnectProtocol: false },
  });
  // What a server of node:http has from its options; this one, before Node 24, does not look for them there.
  Object.assign(server, {
    headersTimeout: times.headersTimeoutMs,
    requestTimeout: times.requestTimeoutMs,
    keepAliveTimeout: times.idleTimeoutMs,
    connectionsCheckingInterval: times.checkedEveryMs,
    requireHostHeader: true,
  });
  new Http2Bounds(server, times);
  // Its requests and responses are those of node:http2, which wear the face of node:http for this.
  return server.on('request', handler as unknown as Parameters<typeof server.on>[1]);
}
