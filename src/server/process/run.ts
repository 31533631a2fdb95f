import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { PinoPretty } from 'pino-pretty';
import { Refused } from '../../protocol/refused.js';
import type { AppOptions } from '../app.js';
import { createApp } from '../app.js';
import type { TlsOptions } from '../http/tls.js';
import type { EarshotOptions, ResolvedOptions } from '../options/options.js';
import type { Settings } from '../settings/settings.js';
import { dataPath } from '../store.js';

export type Signal = NonNullable<closeWithGrace.Options['skip']>[number];

/** What is run, and how. */
export interface RunParts extends Pick<Settings, 'listen' | 'logLevel' | 'logFormat'> {
  readonly options: EarshotOptions;
  readonly tls: TlsOptions | undefined;
  /** Signals that don't end it. */
  readonly skip: Signal[];
  /** Whether the lobby is there from the beginning, where it is development. */
  readonly makesLobby: boolean;
  /** Called before it listens; what it returns undoes that, where it can't. */
  readonly prepare?: (app: FastifyInstance, ending: Ending) => (() => void) | undefined;
  /** Called where an error that nobody caught begins to end it. */
  readonly crashes?: () => void;
}

/** The way to end a process that runs. */
export interface Ending {
  /** Ends the process in order, as a signal does. Where that has begun, nothing happens. */
  end(how?: { readonly isCrash: boolean }): void;
  uninstall(): void;
}

/** Of the time for the whole end: what is left after the drain for everything else. */
const END_MS = 2000;
/** A process that something went wrong in says goodbye, and no more. */
const CRASH_MS = 1000;
const WEAK_SECRET_BYTES = 32;

/** The port can't be had: told in one line, exit 1. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** An application that listens, until a signal ends it and the process. Rejects where it can't be started. */
export async function run(parts: RunParts): Promise<{ readonly app: FastifyInstance; readonly url: string }> {
  const { listen, options, tls } = parts;
  const app = await createApp(options, { logger: loggerOf(parts), ...(tls && { tls }) });
  const ending = endOnSignal(app, parts); // first: one may come as soon as the address is printed
  const undo = parts.prepare?.(app, ending);
  try {
    if (parts.makesLobby) await makeLobby(app);
    return { app, url: await app.listen(listen) };
  } catch (error) {
    ending.uninstall();
    undo?.();
    await app.close();
    throw new ListenError(describeListenError(error, listen));
  }
}

/** Lines for people are made here and not in a thread of their own, so that none is lost at the end. */
export function loggerOf({
  logLevel: level,
  logFormat,
}: Pick<Settings, 'logLevel' | 'logFormat'>): NonNullable<AppOptions['logger']> {
  const isPretty = logFormat === 'auto' ? process.stdout.isTTY : logFormat === 'pretty';
  if (!isPretty) return { level };
  return {
    level,
    stream: PinoPretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', sync: true }),
  };
}

export interface Announced {
  readonly url: string;
  readonly unusedData: Settings['unusedData'];
  readonly warn: (text: string) => void;
  readonly write: (text: string) => void;
}

/** What is said to whoever has started the server. */
export function announce(options: ResolvedOptions, { url, unusedData, warn, write }: Announced): void {
  const { dev, token, prefix, store } = options;
  if (dev) {
    write(`Earshot is ready: open ${url}${prefix}/\n`);
    write(
      'DEVELOPMENT MODE: the channel "lobby", and every other, is open to anyone who reaches this port.\n',
    );
    if (store === 'lmdb') write(`What is published is kept in the folder ${dataPath(options)}.\n`);
  }
  const secrets = [token, ...(token?.issuers ?? [])].flatMap((issuer) => issuer?.secret ?? []);
  if (secrets.some((secret) => Buffer.byteLength(secret) < WEAK_SECRET_BYTES)) {
    warn(`a token secret is shorter than ${WEAK_SECRET_BYTES} bytes: it can be guessed`);
  }
  if (unusedData)
    warn(`data is not used (${unusedData.from}): it is of the store lmdb, and store is not that`);
}

/** In development it is there from the beginning, for `curl` too. */
async function makeLobby({ earshot: { options, channels }, log }: FastifyInstance): Promise<void> {
  if (!options.dev || options.plainChannel === false) return;
  try {
    await channels.create(options.plainChannel);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    log.warn(`the channel ${options.plainChannel} was not made: ${error.message}`);
  }
}

/** A second signal ends at once; an error that nobody caught is logged, and ends in the same order with exit 1. */
function endOnSignal(app: FastifyInstance, { skip, crashes }: Pick<RunParts, 'skip' | 'crashes'>): Ending {
  const { drainTimeoutMs } = app.earshot.options;
  const timeoutMs = Math.max(drainTimeoutMs - END_MS, drainTimeoutMs / 2);
  let isCrash = false;
  let hasBegun = false;
  const { close, uninstall } = closeWithGrace(
    { delay: drainTimeoutMs, logger: false, skip },
    async ({ err, signal }) => {
      hasBegun = true;
      if (err !== undefined) {
        app.log.fatal(err, 'uncaught error');
        crashes?.();
      } else if (signal !== undefined) app.log.info({ signal }, 'draining');
      const isOrderly = err === undefined && !isCrash;
      // before close(): until then the probes answer, liveness with 200
      await app.earshot.drain(isOrderly ? { timeoutMs } : { timeoutMs: CRASH_MS, delayMs: 0 });
      await app.close();
    },
  );
  return {
    uninstall,
    end(how) {
      if (hasBegun) return;
      isCrash = how?.isCrash ?? false;
      void close();
    },
  };
}

function describeListenError(error: unknown, { host, port }: Settings['listen']): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is in use: choose another with --port or PORT`;
  if (code === 'EACCES') return `port ${port} needs rights that this user doesn't have`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `${host} is not an address of this machine`;
  throw error;
}
