import type { Server } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { FastifyError, FastifyInstance, FastifyServerOptions } from 'fastify';
import fastify from 'fastify';
import { borrowRequests } from './http/borrowed.js';
import { problem, problemFrom } from './http/problem.js';
import { secureServer } from './http/secure-server.js';
import type { TlsOptions } from './http/tls.js';
import { checkTls } from './http/tls.js';
import { refuseBytes, refuseUrl } from './http/unreadable.js';
import type { EarshotOptions } from './options/options.js';
import { OptionsError } from './options/options.js';
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
  readonly server?: Server | HttpsServer | Http2SecureServer;
  /**
   * Makes the server of our own one for TLS, with HTTP/2 and HTTP/1.1 on the one port. What can't be served with is an
   * OptionsError. Default: plain HTTP/1.1.
   */
  readonly tls?: TlsOptions;
}

/** How long a client may take for its headers and for a whole request: what is slower is answered 408. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUTS_CHECKED_MS = 1000;
/** The same as over plain HTTP, where it is Fastify's default. */
const IDLE_TIMEOUT_MS = 72_000;
const STALL_TIMEOUT_MS = 120_000;

/** Those that were made for TLS here. */
const secured = new WeakMap<FastifyInstance, Http2SecureServer>();

/** What Fastify would refuse by itself is refused as everything else is. */
const WORDS_OF_OURS = {
  frameworkErrors: refuseUrl,
  clientErrorHandler: refuseBytes,
  return503OnClosing: false, // admission says so, and when to come back
};

/** The plugin on an application of our own: what `earshot serve` runs. It is ready to listen. */
export async function createApp(
  options: EarshotOptions,
  { logger = false, server, tls }: AppOptions = {},
): Promise<FastifyInstance> {
  const discreet = withoutSecrets(logger);
  const app = appOn(options, discreet, server, tls);
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

/**
 * Serves with another certificate from now on; connections that are open keep the old one. Returns until when it is good.
 * Throws an OptionsError, and goes on with the old one, where the new one can't be served with. Throws an Error where the
 * application was not made with `tls`.
 */
export function replaceCertificate(app: FastifyInstance, tls: TlsOptions): Date {
  const server = secured.get(app);
  if (server === undefined) throw new Error('this application was not made with tls');
  const validUntil = checkTls(tls, Date.now());
  server.setSecureContext(tls);
  return validUntil;
}

function appOn(
  options: EarshotOptions,
  logger: Logger,
  server: AppOptions['server'],
  tls: TlsOptions | undefined,
): FastifyInstance {
  if (server === undefined) return tls === undefined ? ownServer(logger) : ownSecureServer(logger, tls);
  if (tls !== undefined) throw new OptionsError('tls: a server that is handed in has its own');
  return onServer(server as Server, options, logger); // what is used of it, those of https and http2 have as well
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

function ownSecureServer(logger: Logger, tls: TlsOptions): FastifyInstance {
  checkTls(tls, Date.now());
  const times = {
    headersTimeoutMs: HEADERS_TIMEOUT_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    stallTimeoutMs: STALL_TIMEOUT_MS,
    checkedEveryMs: TIMEOUTS_CHECKED_MS,
  };
  let server: Http2SecureServer | undefined;
  const app = fastify({
    ...WORDS_OF_OURS,
    logger,
    https: {}, // for the address that it prints
    serverFactory: (handler) => {
      server = secureServer(tls, times, handler);
      return server as unknown as HttpsServer; // what Fastify does with it, both can
    },
  }) as unknown as FastifyInstance; // with the one face that every server's application has here
  if (server !== undefined) secured.set(app, server);
  return app;
}

function onServer(
  server: Server,
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
