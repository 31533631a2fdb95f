import cluster from 'node:cluster';
import { createServer } from 'node:net';
import closeWithGrace from 'close-with-grace';
import type { FastifyBaseLogger } from 'fastify';
import fastify from 'fastify';
import { StoreHost } from '../../store/shared/store-host.js';
import type { Store } from '../../store/store.js';
import type { TlsOptions } from '../http/tls.js';
import { checkTls } from '../http/tls.js';
import { isInRedis, OptionsError, resolveOptions } from '../options/options.js';
import { policyFrom } from '../policy/policy.js';
import { readCertificate, replaceOnHangup } from '../process/certificate.js';
import { announce, loggerOf } from '../process/run.js';
import type { TlsSettings } from '../settings/schema.js';
import { SERVE_DEFAULTS } from '../settings/schema.js';
import type { Settings } from '../settings/settings.js';
import { storeFor } from '../store.js';
import { Crew } from './crew.js';
import { linkOf } from './line.js';
import { Relay } from './relay.js';
import { Scrapes } from './scrapes.js';

/** The process that has the store, and workers that serve. It ends when they have. Rejects where none can be started. */
export async function servePrimary(settings: Settings, write: (text: string) => void): Promise<void> {
  if (!cluster.isPrimary)
    throw new OptionsError('workers: this process is a worker of some other cluster, and can have none');
  const options = resolveOptions({ ...SERVE_DEFAULTS, ...settings.options });
  const policy = policyFrom(options);
  const { log } = fastify({ logger: loggerOf(settings) });
  const certificate = new Certificate(settings.tls);
  const store = isInRedis(options.store) ? undefined : (await storeFor(options, policy, log)).store;
  cluster.setupPrimary({ serialization: 'advanced' });
  const crew = crewOf(settings, store, {
    log,
    tls: () => certificate.tls,
    reconnectsPerSecond: options.reconnectsPerSecond / settings.workers,
    port: settings.listen.port || (await freePort(settings.listen.host)),
  });
  const stopReplacing = certificate.replaceOnHangup(log, (tls) => crew.tell('certificate', tls));
  const signals = endOnSignal(crew, store, {
    log,
    drainTimeoutMs: options.drainTimeoutMs,
    hasTls: settings.tls !== undefined,
  });
  try {
    const url = await crew.start();
    if (crew.isEnding) return;
    announce(options, { url, unusedData: settings.unusedData, write, warn: (text) => log.warn(text) });
  } catch (error) {
    if (crew.isEnding) return; // it was told to end before it was up, and does
    signals.uninstall();
    stopReplacing();
    await store?.end();
    throw error;
  }
}

interface CrewNeeds {
  readonly log: FastifyBaseLogger;
  readonly tls: () => TlsOptions | undefined;
  readonly reconnectsPerSecond: number;
  readonly port: number;
}

/** One for all workers, also for those that are started when no other is left. 0 where that can't be told. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(0)); // the first worker will say what is wrong
    server.listen({ host, port: 0 }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** Workers that share the store, the bus and the metrics. */
function crewOf({ workers }: Settings, store: Store | undefined, { log, tls, ...same }: CrewNeeds): Crew {
  const host = store && new StoreHost(store, setImmediate); // in Redis, each worker has its own way to it
  const relay = new Relay();
  const scrapes = new Scrapes();
  return new Crew({
    count: workers,
    log,
    begin: (isFirst) => ({ ...same, tls: tls(), isFirst }),
    welcome: ({ line }) => {
      const leaves = [relay.join(linkOf(line, 'bus')), scrapes.join(line)];
      if (host !== undefined) leaves.push(host.serve(linkOf(line, 'store')));
      return () => {
        for (const leave of leaves) leave();
      };
    },
  });
}

interface EndNeeds {
  readonly log: FastifyBaseLogger;
  readonly drainTimeoutMs: number;
  readonly hasTls: boolean;
}

/** As one process would: a second signal ends at once, and what is wrong with this one ends it with exit 1. */
function endOnSignal(crew: Crew, store: Store | undefined, { log, drainTimeoutMs, hasTls }: EndNeeds) {
  const kill = () => crew.kill();
  const last = { onTimeout: kill, onSecondSignal: kill, onSecondError: kill };
  return closeWithGrace(
    { delay: drainTimeoutMs, logger: false, skip: hasTls ? ['SIGHUP'] : [], ...last },
    async ({ err, signal }) => {
      if (err === undefined) log.info({ signal }, 'draining');
      else log.fatal(err, 'uncaught error');
      await crew.end({ isCrash: err !== undefined }).finally(() => store?.end());
    },
  );
}

/** The certificate in force: workers that are started later have it too, whatever is in the files by then. */
class Certificate {
  tls: TlsOptions | undefined;
  readonly #settings: TlsSettings | undefined;

  constructor(settings: TlsSettings | undefined) {
    this.#settings = settings;
    if (settings !== undefined) this.#use(readCertificate(settings));
  }

  /** Returns the way to stop. */
  replaceOnHangup(log: FastifyBaseLogger, tell: (tls: TlsOptions) => void): () => void {
    if (this.#settings === undefined) return () => {};
    return replaceOnHangup(this.#settings, log, (tls) => {
      const validUntil = this.#use(tls);
      tell(tls);
      return validUntil;
    });
  }

  #use(tls: TlsOptions): Date {
    const validUntil = checkTls(tls, Date.now());
    this.tls = tls;
    return validUntil;
  }
}
