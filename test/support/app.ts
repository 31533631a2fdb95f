import type { FastifyInstance } from 'fastify';
import type { AppOptions } from '../../src/server/app.js';
import { createApp } from '../../src/server/app.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { traceLog } from './logs.js';
import { noteSettings } from './secrets.js';
import type { Teardown } from './spawn.js';

export type Labels = Readonly<Record<string, string>>;

/** One line of `/metrics`. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface RunningApp {
  readonly app: FastifyInstance;
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Of the WebSocket. */
  readonly wsUrl: string;
  readonly port: number;
  /** What `/metrics` says, summed over the samples that have these labels; 0 where there is none. */
  metric(name: string, labels?: Labels): Promise<number>;
  /** Waits until a metric has grown to this. */
  metricReaches(value: number, name: string, labels?: Labels): Promise<void>;
}

const METRIC_TIMEOUT_MS = 10_000;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Options for development that a slow machine does not make unready. */
const DEFAULTS = { dev: true, maxEventLoopDelayMs: 3_600_000 } as const;

/** The application on a free port of the loopback; what it logs is kept. It ends with the test. */
export async function appOn(
  t: Teardown,
  options: EarshotOptions = {},
  appOptions?: AppOptions,
): Promise<RunningApp> {
  const all = { ...DEFAULTS, ...options };
  noteSettings(all);
  const app = await createApp(all, { logger: traceLog(), ...appOptions });
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const port = Number(new URL(url).port);
  const { prefix = '', path = '/ws' } = all;
  const metric = async (name: string, labels?: Labels) =>
    sumOf(await scrape(`${url}${prefix}`), name, labels);
  return {
    app,
    url,
    port,
    wsUrl: `${url.replace('http', 'ws')}${prefix}${path}`,
    metric,
    async metricReaches(value, name, labels) {
      await eventually(`${name} of ${value}`, async () => (await metric(name, labels)) >= value);
    },
  };
}

/** Asks again and again, as fast as the answers come, until it is true. */
export async function eventually(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const since = performance.now();
  while (!(await ask())) {
    if (performance.now() - since > METRIC_TIMEOUT_MS) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Every sample of the text format of Prometheus. Throws for a line that is none. */
export function parseMetrics(text: string): Sample[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) throw new Error(`not a sample: ${line}`);
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', label = '']) => [key, label] as const);
    return { name, labels: Object.fromEntries(pairs), value: Number(value) };
  });
}

async function scrape(url: string): Promise<Sample[]> {
  const response = await fetch(`${url}/metrics`);
  return parseMetrics(await response.text());
}

function sumOf(samples: readonly Sample[], name: string, labels: Labels = {}): number {
  const wanted = Object.entries(labels);
  return samples
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
