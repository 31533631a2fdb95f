import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { Refused } from '../protocol/refused.js';
import { adminRoutes } from './admin/routes.js';
import { Earshot } from './earshot.js';
import { LastConnections } from './http/last-connections.js';
import { problemFrom } from './http/problem.js';
import type { EarshotOptions } from './options/options.js';
import { loggedRequest } from './report/requests.js';
import { commandsRoute } from './routes/commands.js';
import { hook } from './routes/hook.js';
import { metricsRoute } from './routes/metrics.js';
import { pageRoutes } from './routes/pages.js';
import { probeRoutes } from './routes/probes.js';
import { sessionRoute } from './routes/session.js';
import { takeTurn } from './routes/turns.js';
import { upgradeHint } from './routes/websocket.js';
import { readRoute } from './streams/read.js';
import { streamRoutes } from './streams/routes.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Realtime channels on this server's port. */
    earshot: Earshot;
  }
}

async function plugin(app: FastifyInstance, options: EarshotOptions): Promise<void> {
  const { decorateAs = 'earshot' } = options;
  if (app.hasDecorator(decorateAs)) {
    throw new Error(
      `this Fastify instance has a decorator "${decorateAs}" already: name another with decorateAs`,
    );
  }
  const earshot = await Earshot.open(options, app.log);
  app.decorate(decorateAs, earshot);
  const connections = new LastConnections(app.server);
  let listens = false; // by itself: a server that was handed to it is not its to empty
  app.addHook('onListen', async () => {
    listens = true;
  });
  app.addHook('preClose', async () => {
    await earshot.drain();
    if (listens) connections.letGo(earshot.options.drainTimeoutMs);
  });
  app.addHook('onClose', async () => {
    connections.stop();
    await earshot.close();
  });
  earshot.attach(app.server, app.prefix);
  await app.register(async (scope) => routes(scope, earshot), {
    prefix: earshot.options.prefix,
    // typed as printing a string, where pino takes an object as well
    logSerializers: { req: loggedRequest as unknown as (request: FastifyRequest) => string },
  });
}

async function routes(scope: FastifyInstance, earshot: Earshot): Promise<void> {
  const { path, probes, metrics, pages, admin } = earshot.options;
  scope.addHook(
    'onRequest',
    hook((request, reply) => takeTurn(request.raw, reply.raw)),
  );
  scope.addHook('preValidation', hook(refuseCut));
  scope.setErrorHandler<FastifyError>((error, request, reply) => answer(earshot, error, request, reply));
  if (probes) probeRoutes(scope, earshot);
  if (metrics) metricsRoute(scope, earshot.metrics);
  sessionRoute(scope, earshot);
  await scope.register(async (commands) => commandsRoute(commands, earshot));
  await scope.register(async (streams) => streamRoutes(streams, earshot));
  await scope.register(async (reads) => readRoute(reads, earshot));
  upgradeHint(scope, path);
  if (admin !== undefined)
    await scope.register(async (operator) => adminRoutes(operator, earshot, admin.key));
  if (pages) await pageRoutes(scope);
}

/** Over HTTP/2 a body that the peer has cut off ends like one that is complete: it must not be taken for one. */
function refuseCut({ raw }: FastifyRequest): undefined {
  if (raw.aborted) throw new Refused('bad_envelope', 'the request was cut off');
}

/** Errors leave as problem documents, with the codes that every transport uses. */
function answer(
  { metrics, journal, admission }: Earshot,
  error: FastifyError | Refused,
  { raw }: FastifyRequest,
  reply: FastifyReply,
): void {
  const { status, headers, body } = problemFrom(error);
  if (error instanceof Refused) {
    metrics.refused(error.code);
    journal.refused(`request: ${error.code}`, { address: admission.addressOf(raw) });
  } else if (status >= 500) journal.error(error, {});
  const known = reply.getHeader('retry-after'); // who refuses may know better when to come back
  reply
    .code(status)
    .headers({ ...headers, ...(known !== undefined && { 'retry-after': known }) })
    .send(body);
}

/**
 * Earshot on a Fastify application: `await app.register(earshot, { dev: true })`. It takes its own paths below
 * `prefix` and the upgrades of `prefix + path`; everything else stays the application's. `app.close()` drains it.
 */
export const earshot = fp(plugin, { name: 'earshot', fastify: '5.x' });
