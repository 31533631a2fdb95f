import type { FastifyInstance } from 'fastify';
import { toldLimits } from '../../core/limits.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import type { Earshot } from '../earshot.js';
import { allowPage, preflight } from './cors.js';

/**
 * `/v1/session`: who the server takes the caller to be, or why it refuses. A browser is told only 1006 for
 * an upgrade that was refused; here it gets the reason.
 */
export function sessionRoute(app: FastifyInstance, { admission, options }: Earshot): void {
  app.get('/v1/session', async (request, reply) => {
    allowPage(request, reply, options);
    const { user, name, expiresAt } = await admission.admit(request.raw, new Set());
    reply.header('cache-control', 'no-store');
    return { user, name, expiresAt, protocol: SUBPROTOCOL, limits: toldLimits(options.limits) };
  });
  preflight(app, '/v1/session', options);
}
