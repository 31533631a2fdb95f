import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { interceptEmit } from './intercept.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const PROBES = ['/livez', '/readyz', '/health', '/metrics'];
const OPENAPI = '/openapi.json';

/**
 * Serves requests on a server that somebody else made. Where that has a handler of its own, ours gets our paths
 * and no others, and theirs never sees them. Returns the way to give them back.
 */
export function borrowRequests(
  server: Server,
  { prefix, path, hasAdmin }: { prefix: string; path: string; hasAdmin: boolean },
  handler: Handler,
): () => void {
  if (server.listenerCount('request') === 0) {
    server.on('request', handler);
    return () => server.off('request', handler);
  }
  const exact = new Set([path, ...PROBES, ...(hasAdmin ? [OPENAPI] : [])].map((own) => prefix + own));
  return interceptEmit(server, 'request', (args) => {
    const [request, response] = args as [IncomingMessage, ServerResponse]; // as node:http documents 'request'
    const { url = '' } = request;
    const isOurs = exact.has(url.split('?', 1)[0] ?? '') || url.startsWith(`${prefix}/v1/`);
    if (isOurs) handler(request, response);
    return isOurs;
  });
}
