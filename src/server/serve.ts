import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { PinoPretty } from 'pino-pretty';
import type { AppOptions } from './app.js';
import { createApp } from './app.js';
import { readCertificate, replaceOnHangup } from './certificate.js';
import { SERVE_DEFAULTS } from './settings/schema.js';
import type { Settings } from './settings/settings.js';
import { dataPath } from './store.js';

/** Of the time for the whole end: what is left after the drain for everything else. */
const END_MS = 2000;
/** A process that something went wrong in says goodbye, and no more. */
const CRASH_MS = 1000;
const WEAK_SECRET_BYTES = 32;

/** Runs the server until a signal ends it. Rejects with an OptionsError for what can't be started. */
export async function serve(
  { listen, tls, logLevel, logFormat, options }: Settings,
  write: (text: string) => void,
): Promise<void> {
  const app = await createApp(
    { ...SERVE_DEFAULTS, ...options },
    {
      logger: loggerOf(logLevel, logFormat),
      ...(tls && { tls: readCertificate(tls) }),
    },
  );
  const ignoreHangup = tls && replaceOnHangup(app, tls);
  const signals = endOnSignal(app, tls ? ['SIGHUP'] : []); // first: one may come as soon as the address is printed
  try {
    const url = await app.listen(listen);
    announce(app, url, write);
  } catch (error) {
    signals.uninstall();
    ignoreHangup?.();
    await app.close();
    throw new ListenError(describeListenError(error, listen));
  }
}

/** Lines for people are made here and not in a thread of their own, so that none is lost at the end. */
function loggerOf(level: string, format: Settings['logFormat']): NonNullable<AppOptions['logger']> {
  const isPretty = format === 'auto' ? process.stdout.isTTY : format === 'pretty';
  if (!isPretty) return { level };
  return {
    level,
    stream: PinoPretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', sync: true }),
  };
}

/** The port can't be had: told in one line, exit 1. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

function announce(app: FastifyInstance, url: string, write: (text: string) => void): void {
  const { dev, token, prefix, store } = app.earshot.options;
  if (dev) {
    write(`Earshot is ready: open ${url}${prefix}/\n`);
    write(
      'DEVELOPMENT MODE: the channel "lobby", and every other, is open to anyone who reaches this port.\n',
    );
    if (store === 'lmdb')
      write(`What is published is kept in the folder ${dataPath(app.earshot.options)}.\n`);
  }
  const secrets = [token, ...(token?.issuers ?? [])].flatMap((issuer) => issuer?.secret ?? []);
  if (secrets.some((secret) => Buffer.byteLength(secret) < WEAK_SECRET_BYTES)) {
    app.log.warn(`a token secret is shorter than ${WEAK_SECRET_BYTES} bytes: it can be guessed`);
  }
}

/** A second signal ends at once; an error that nobody caught is logged, and ends in the same order with exit 1. */
function endOnSignal(app: FastifyInstance, skip: 'SIGHUP'[]): { uninstall(): void } {
  const { drainTimeoutMs } = app.earshot.options;
  const timeoutMs = Math.max(drainTimeoutMs - END_MS, drainTimeoutMs / 2);
  return closeWithGrace({ delay: drainTimeoutMs, logger: false, skip }, async ({ err, signal }) => {
    if (err === undefined) app.log.info({ signal }, 'draining');
    else app.log.fatal(err, 'uncaught error');
    // before close(): until then the probes answer, liveness with 200
    await app.earshot.drain(err === undefined ? { timeoutMs } : { timeoutMs: CRASH_MS, delayMs: 0 });
    await app.close();
  });
}

function describeListenError(error: unknown, { host, port }: Settings['listen']): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is in use: choose another with --port or PORT`;
  if (code === 'EACCES') return `port ${port} needs rights that this user doesn't have`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `${host} is not an address of this machine`;
  throw error;
}
