import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAllowedOrigin } from '../admission/origin.js';
import type { ResolvedOptions } from '../options/options.js';

/** Cross-origin, exactly the pages that may connect may read an answer (Fetch, CORS protocol). */
export function allowPage({ headers }: FastifyRequest, reply: FastifyReply, options: ResolvedOptions): void {
  reply.header('vary', 'Origin');
  const { origin } = headers;
  if (origin === undefined || !isAllowedOrigin(origin, headers, options)) return;
  reply.header('access-control-allow-origin', origin);
  if (options.token?.cookie !== undefined) reply.header('access-control-allow-credentials', 'true');
}

/** What a browser asks before it sends a token or JSON from another origin. */
export function preflight(app: FastifyInstance, path: string, options: ResolvedOptions): void {
  app.options(path, async (request, reply) => {
    allowPage(request, reply, options);
    return reply
      .headers({
        'access-control-allow-methods': 'GET, POST',
        'access-control-allow-headers': 'authorization, content-type',
        'access-control-max-age': '600',
      })
      .code(204)
      .send();
  });
}
