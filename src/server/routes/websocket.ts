import type { FastifyInstance } from 'fastify';
import { Refused } from '../../protocol/refused.js';

const HINT =
  'This is a WebSocket, and the request does not ask for the upgrade. If the client did ask, a proxy has ' +
  'dropped it. nginx needs: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; ' +
  'proxy_set_header Connection "upgrade"; proxy_set_header Host $http_host;';

/** The WebSocket's path without the upgrade (RFC 9110 §15.5.22): mostly a proxy that is not set up for it. */
export function upgradeHint(app: FastifyInstance, path: string): void {
  app.get(path, async ({ raw }, reply) => {
    // HTTP/2 has no upgrade, and forbids its headers (RFC 9113 §8.2.2).
    if (raw.httpVersionMajor === 1) reply.headers({ upgrade: 'websocket', connection: 'Upgrade, close' });
    throw new Refused('upgrade_required', HINT);
  });
}
