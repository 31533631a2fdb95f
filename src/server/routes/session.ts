import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toldLimits } from '../../core/limits.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import type { Earshot } from '../earshot.js';
import type { ResolvedOptions } from '../options.js';
import { isAllowedOrigin } from '../origin.js';

/**
 * `/v1/session`: who the server takes the caller to be, or why it refuses. A browser is told only 1006 for
 * an upgrade that was refused; here it gets the reason. Pages of allowed Origins may ask.
 */
export function sessionRoute(app: FastifyInstance, { admission, options }: Earshot): void {
  app.get('/v1/session', async (request, reply) => {
    allowPage(request, reply, options);
    const { user, name, expiresAt } = await admission.admit(request.raw, new Set());
    reply.header('cache-control', 'no-store');
    return { user, name, expiresAt, protocol: SUBPROTOCOL, limits: toldLimits(options.limits) };
  });
  app.options('/v1/session', async (request, reply) => {
    allowPage(request, reply, options);
    reply.headers({ 'access-control-allow-headers': 'authorization', 'access-control-max-age': '600' });
    return reply.code(204).send();
  });
}

/** Cross-origin, exactly the pages that may connect may read the answer (Fetch, CORS protocol). */
function allowPage({ headers }: FastifyRequest, reply: FastifyReply, options: ResolvedOptions): void {
  reply.header('vary', 'Origin');
  const { origin } = headers;
  if (origin === undefined || !isAllowedOrigin(origin, headers, options)) return;
  reply.header('access-control-allow-origin', origin);
  if (options.token?.cookie !== undefined) reply.header('access-control-allow-credentials', 'true');
}
