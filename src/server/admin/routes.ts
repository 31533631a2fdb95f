import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { JsonText } from '../../protocol/json-text.js';
import type { Earshot } from '../earshot.js';
import { readBody } from './body.js';
import { KeyGuard } from './key.js';
import { documentOf } from './openapi.js';
import type { AdminRoute, Answer } from './route.js';
import { ADMIN_PATH, ADMIN_ROUTES } from './table.js';

const NOT_KEPT = { 'cache-control': 'no-store' };

/**
 * The operator's API, and the document that describes it. No page is let in: nothing here speaks CORS, and what is not
 * JSON is not taken. It answers while the server drains, too. `app` is a scope of its own.
 */
export async function adminRoutes(app: FastifyInstance, earshot: Earshot, key: string): Promise<void> {
  const guard = new KeyGuard(key, () => performance.now());
  app.removeAllContentTypeParsers();
  // Not parsed by Fastify: its depth is looked at first, and data is kept as the text it came in.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  );
  for (const each of ADMIN_ROUTES) serve(app, earshot, guard, each);
  const document = JSON.stringify(documentOf(ADMIN_ROUTES, app.prefix + ADMIN_PATH));
  app.get('/openapi.json', { exposeHeadRoute: false }, async (_request, reply) =>
    reply.headers(NOT_KEPT).type('application/json').send(document),
  );
}

function serve(app: FastifyInstance, earshot: Earshot, guard: KeyGuard, { method, path, run }: AdminRoute) {
  const { limits } = earshot.options;
  app.route<{ Body: string | undefined }>({
    method,
    url: ADMIN_PATH + path,
    exposeHeadRoute: false,
    bodyLimit: limits.maxFrameBytes,
    onRequest: async ({ headers, raw }: FastifyRequest) =>
      guard.check(headers.authorization, earshot.admission.addressOf(raw)),
    handler: async ({ params, query, body }, reply) => {
      const { value, dataText } = readBody(body, limits.maxDataDepth);
      return answer(reply, await run(earshot, { params, query, body: value }, dataText));
    },
  });
}

function answer(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  reply.code(status).headers(NOT_KEPT);
  if (body === undefined) return reply.send();
  return reply.type('application/json').send(body instanceof JsonText ? body.text : JSON.stringify(body));
}
