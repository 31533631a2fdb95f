import type { FastifyInstance } from 'fastify';
import { Refused } from '../../protocol/refused.js';
import { SharedStore } from '../../store/shared/shared-store.js';
import { replaceCertificate } from '../app.js';
import { isInRedis } from '../options/options.js';
import type { Ending, Signal } from '../process/run.js';
import { run } from '../process/run.js';
import { SERVE_DEFAULTS } from '../settings/schema.js';
import type { Settings } from '../settings/settings.js';
import { within } from '../within.js';
import { WorkerBus } from './bus.js';
import type { Begin, OfPrimary, OfWorker } from './line.js';
import { Line, linkOf } from './line.js';

type PrimaryLine = Line<OfWorker, OfPrimary>;

/** Longer than the primary process waits for a worker. */
const SCRAPED_WITHIN_MS = 3000;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const satisfies readonly Signal[];

/** One of several processes that serve together, with the store of the primary one. */
export async function serveAsWorker(settings: Settings): Promise<void> {
  const line = lineToPrimary();
  const end = endWithPrimary();
  try {
    const begin = await new Promise<Begin>((resolve) => {
      line.hear('begin', resolve);
      line.tell('hello', undefined);
    });
    const { url } = await run({
      ...settings,
      listen: { ...settings.listen, port: begin.port },
      options: optionsOf(settings, line, begin),
      tls: begin.tls,
      skip: [...SIGNALS],
      makesLobby: begin.isFirst,
      crashes: () => line.tell('crash', undefined),
      prepare: (app, ending) => prepare(app, line, { ending, end, hasTls: begin.tls !== undefined }),
    });
    line.tell('ready', url);
  } catch (error) {
    process.channel?.unref(); // nothing keeps it here: it tells why, and ends
    throw error;
  }
}

/** What is of the store is the primary's, and what is for all together is shared among them. */
function optionsOf({ options }: Settings, line: PrimaryLine, { reconnectsPerSecond }: Begin) {
  if (isInRedis(options.store)) return { ...SERVE_DEFAULTS, ...options, reconnectsPerSecond };
  const { data: _, fsync: __, ...rest } = options;
  const store = new SharedStore(linkOf(line, 'store'), setImmediate);
  const bus = new WorkerBus(linkOf(line, 'bus'));
  return { ...SERVE_DEFAULTS, ...rest, store, bus, reconnectsPerSecond };
}

function prepare(
  app: FastifyInstance,
  line: PrimaryLine,
  { ending, end, hasTls }: { ending: Ending; end: Told; hasTls: boolean },
): undefined {
  line.hear('certificate', (tls) => void replaceCertificate(app, tls));
  line.hear('end', (how) => {
    end.isTold = true;
    ending.end(how);
  });
  endOnSignals(app, ending, hasTls);
  shareMetrics(app, line);
}

/**
 * The second signal ends at once. What the primary process says counts as none: a terminal or a supervisor may send the
 * same signal to all processes, and that arrives before or after it.
 */
function endOnSignals({ log }: FastifyInstance, ending: Ending, hasTls: boolean): void {
  let signals = 0;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (hasTls && signal === 'SIGHUP') return; // the primary process says what has come of it
      signals++;
      if (signals > 1) process.exit(1);
      log.info({ signal }, 'draining');
      ending.end();
    });
  }
}

function shareMetrics({ earshot: { metrics } }: FastifyInstance, line: PrimaryLine): void {
  const waiting = new Map<number, (text: string) => void>();
  let lastId = 0;
  line.hear('count', () => {
    void metrics.registry.getMetricsAsJSON().then((values) => line.tell('metrics', values));
  });
  line.hear('scraped', ({ id, text }) => waiting.get(id)?.(text));
  metrics.readTogether(() => {
    const id = ++lastId;
    const scraped = new Promise<string>((resolve) => {
      waiting.set(id, resolve);
      line.tell('scrape', id);
    });
    const late = () => new Refused('unavailable', 'the primary process does not answer');
    return within(SCRAPED_WITHIN_MS, scraped, late).finally(() => waiting.delete(id));
  });
}

function lineToPrimary(): PrimaryLine {
  return new Line({
    send: (message, sent) => process.send?.(message, undefined, undefined, () => sent()),
    listen: (hear) => process.on('message', hear),
  });
}

interface Told {
  isTold: boolean;
}

/** Without the store there is nothing to serve, and nobody is left who could start another. */
function endWithPrimary(): Told {
  const end: Told = { isTold: false };
  process.prependListener('disconnect', () => {
    if (!end.isTold) process.stderr.write('earshot: the primary process is gone, and this worker ends\n');
    process.exit(1);
  });
  return end;
}
