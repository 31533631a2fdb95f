import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import fastify from 'fastify';
import { borrowRequests } from './http/borrowed.js';
import { problem } from './http/problem.js';
import type { EarshotOptions } from './options/options.js';
import { earshot } from './plugin.js';

/** How the application of our own is made. */
export interface AppOptions {
  /** Fastify's logger: pino's options, or false. Default false. */
  readonly logger?: Exclude<FastifyServerOptions['logger'], undefined>;
  /**
   * An HTTP server that exists already and listens by itself. Its own handler, if it has one, keeps every path
   * that is not ours. Default: a server of our own.
   */
  readonly server?: Server | HttpsServer;
}

/** How long a client may take for its headers and for a whole request: what is slower is answered 408. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUTS_CHECKED_MS = 1000;

/** The plugin on an application of our own: what `earshot serve` runs. It is ready to listen. */
export async function createApp(
  options: EarshotOptions,
  { logger = false, server }: AppOptions = {},
): Promise<FastifyInstance> {
  const app = server === undefined ? ownServer(logger) : onServer(server, options, logger);
  app.setNotFoundHandler((_request, reply) => {
    const { status, headers, body } = problem('not_found', 'there is nothing at this path');
    return reply.code(status).headers(headers).send(body);
  });
  await app.register(earshot, { pages: server === undefined, ...options, decorateAs: 'earshot' });
  await app.ready();
  return app;
}

function ownServer(logger: Exclude<FastifyServerOptions['logger'], undefined>): FastifyInstance {
  return fastify({
    logger,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUTS_CHECKED_MS },
  });
}

function onServer(
  server: Server | HttpsServer,
  { prefix = '', path = '/ws', admin }: EarshotOptions,
  logger: Exclude<FastifyServerOptions['logger'], undefined>,
): FastifyInstance {
  let giveBack = () => {};
  const app = fastify({
    logger,
    serverFactory: (handler) => {
      giveBack = borrowRequests(server, { prefix, path, hasAdmin: admin !== undefined }, handler);
      return server;
    },
  });
  app.addHook('onClose', async () => giveBack());
  return app;
}
