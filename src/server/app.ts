import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { FastifyError, FastifyInstance, FastifyServerOptions } from 'fastify';
import fastify from 'fastify';
import { borrowRequests } from './http/borrowed.js';
import { problem, problemFrom } from './http/problem.js';
import { refuseBytes, refuseUrl } from './http/unreadable.js';
import type { EarshotOptions } from './options/options.js';
import { earshot } from './plugin.js';
import { loggedRequest, withoutBytes } from './report/requests.js';

type Logger = Exclude<FastifyServerOptions['logger'], undefined>;

/** How the application of our own is made. */
export interface AppOptions {
  /** Fastify's logger: pino's options, or false. Default false. */
  readonly logger?: Logger;
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

/** What Fastify would refuse by itself is refused as everything else is. */
const WORDS_OF_OURS = {
  frameworkErrors: refuseUrl,
  clientErrorHandler: refuseBytes,
  return503OnClosing: false, // admission says so, and when to come back
};

/** The plugin on an application of our own: what `earshot serve` runs. It is ready to listen. */
export async function createApp(
  options: EarshotOptions,
  { logger = false, server }: AppOptions = {},
): Promise<FastifyInstance> {
  const discreet = withoutSecrets(logger);
  const app = server === undefined ? ownServer(discreet) : onServer(server, options, discreet);
  app.server.prependListener('clientError', withoutBytes); // before Fastify logs it
  app.addHook('onClose', async () => void app.server.off('clientError', withoutBytes));
  app.setNotFoundHandler((_request, reply) => {
    const { status, headers, body } = problem('not_found', 'there is nothing at this path');
    return reply.code(status).headers(headers).send(body);
  });
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    const { status, headers, body } = problemFrom(error);
    if (status >= 500) app.log.error(error);
    return reply.code(status).headers(headers).send(body);
  });
  await app.register(earshot, { pages: server === undefined, ...options, decorateAs: 'earshot' });
  await app.ready();
  return app;
}

/** The same logger, to which requests at paths that are nobody's are told as ours are: without a token. */
function withoutSecrets(logger: Logger): Logger {
  if (logger === false) return false;
  const given = logger === true ? {} : logger;
  return { ...given, serializers: { req: loggedRequest, ...given.serializers } };
}

function ownServer(logger: Logger): FastifyInstance {
  return fastify({
    ...WORDS_OF_OURS,
    logger,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUTS_CHECKED_MS },
  });
}

function onServer(
  server: Server | HttpsServer,
  { prefix = '', path = '/ws', admin }: EarshotOptions,
  logger: Logger,
): FastifyInstance {
  let giveBack = () => {};
  const app = fastify({
    ...WORDS_OF_OURS,
    logger,
    serverFactory: (handler) => {
      giveBack = borrowRequests(server, { prefix, path, hasAdmin: admin !== undefined }, handler);
      return server;
    },
  });
  app.addHook('onClose', async () => giveBack());
  return app;
}
