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

/** What a page of another origin may send, besides the simplest. */
export interface Crossing {
  readonly methods: string;
  readonly headers: string;
}

const SIMPLE: Crossing = { methods: 'GET, POST', headers: 'authorization, content-type' };

/** What a browser asks before it sends a token or JSON from another origin. */
export function preflight(
  app: FastifyInstance,
  path: string,
  options: ResolvedOptions,
  { methods, headers }: Crossing = SIMPLE,
): void {
  app.options(path, async (request, reply) => {
    allowPage(request, reply, options);
    return reply
      .headers({
        'access-control-allow-methods': methods,
        'access-control-allow-headers': headers,
        'access-control-max-age': '600',
      })
      .code(204)
      .send();
  });
}
