// What readers cost that stop reading while much is published, and what it costs the others. See README.md beside this file.
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ask, deadline, quartiles, startLoad, startServer, stop, storeArgs, table } from './processes.mjs';

const MEGABYTE = 1024 * 1024;
const PER_SECOND = 100_000 / 60;
const WINDOWS = 12;
/** Of those that stopped, so many read on; reading for all of them would measure the load. */
const READ_ON = 50;
const SAMPLE_EVERY_MS = 200;
/** Where a server has grown by so much over the other, the round ends: it would take the machine. */
const TOO_MUCH_BYTES = 1024 * MEGABYTE;
const BOTH = { websocket: 5, sse: 5 };
const ROUNDS = [
  { name: 'Earshot, nobody stops', kind: 'earshot', others: BOTH, stalls: {} },
  { name: 'Earshot, 1 WebSocket', kind: 'earshot', others: BOTH, stalls: { websocket: 1 } },
  { name: 'Earshot, 1 SSE', kind: 'earshot', others: BOTH, stalls: { sse: 1 } },
  { name: 'Earshot, 500 of both', kind: 'earshot', others: BOTH, stalls: { websocket: 250, sse: 250 } },
  { name: '`ws`, 1', kind: 'ws', others: { websocket: 10 }, stalls: { websocket: 1 } },
  { name: '`ws`, 500', kind: 'ws', others: { websocket: 10 }, stalls: { websocket: 500 } },
  { name: 'Fastify SSE, 1', kind: 'sse', others: { sse: 10 }, stalls: { sse: 1 } },
  { name: 'Fastify SSE, 500', kind: 'sse', others: { sse: 10 }, stalls: { sse: 500 } },
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    store: { type: 'string', default: 'memory' },
    only: { type: 'string', default: '' },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new Error('--seconds: how long is published, a number');

const rounds = ROUNDS.filter(({ name }) => name.includes(values.only));
const givenUp = deadline(rounds.length * (seconds * 4 + 60) * 1000);
const found = [];
for (const round of rounds) {
  console.error(`${round.name} …`);
  found.push({ ...round, ...(await measure(round)) });
}
clearTimeout(givenUp);
console.log(report(found));

/** The same to two servers at the same time, but that readers of the second one stop. */
async function measure({ kind, others, stalls }) {
  const servers = [await start(kind), await start(kind)];
  const [control, tried] = servers.map(({ server }) => server);
  const load = await startLoad('slow-readers-load.mjs', []);
  await ask(load, { command: 'begin', kind, ports: servers.map(({ port }) => port), others });
  const before = [await settled(control), await settled(tried)];
  for (const [technique, count] of Object.entries(stalls))
    await ask(load, { command: 'stall', technique, count });
  const watched = watch(control, tried, load);
  const windowMs = (seconds * 1000) / WINDOWS;
  const published = await ask(load, {
    command: 'publish',
    perSecond: PER_SECOND,
    windowMs,
    windows: WINDOWS,
  });
  const peaks = await watched.end();
  const after = [await settled(control), await settled(tried)];
  const growth = (of) => after[1][of] - before[1][of] - (after[0][of] - before[0][of]);
  const read = watched.tooMuch() ? undefined : await ask(load, { command: 'readOn', count: READ_ON });
  await stop(load, control, tried);
  const cpu = ([one, other]) => other.cpuUs - one.cpuUs;
  return {
    ...published,
    read,
    ratios: published.p99s.slice(1).map(([one, other]) => other / one),
    controlMs: published.p99s.slice(1).map(([one]) => one),
    growth: Object.fromEntries(['rss', 'heapUsed', 'external'].map((of) => [of, growth(of)])),
    overStart: Math.max(peaks.tried, after[1].rss) - before[1].rss,
    controlOverStart: Math.max(peaks.control, after[0].rss) - before[0].rss,
    cpu: cpu([before[1], after[1]]) / cpu([before[0], after[0]]),
  };
}

function start(kind) {
  if (kind !== 'earshot') return startServer('naive.mjs', [kind]);
  const many = '1000000000';
  const limits = ['--limits-commands-per-second', many, '--limits-command-burst', many];
  const retention = ['--retention-messages', many, '--retention-bytes', many];
  const serve = ['serve', '--dev', '--port', '0', '--log-level', 'warn', ...storeArgs(values.store)];
  const room = ['--limits-max-store-bytes', many];
  return startServer('../dist/cli.js', [...serve, ...limits, ...retention, ...room]);
}

/** Looks at both while they work: garbage counts, as it does for who runs it. */
function watch(control, tried, load) {
  const peaks = { control: 0, tried: 0 };
  let isOver = false;
  let tooMuch = false;
  const watching = (async () => {
    while (!isOver) {
      const [one, other] = [await ask(control, 'memory'), await ask(tried, 'memory')];
      peaks.control = Math.max(peaks.control, one.rss);
      peaks.tried = Math.max(peaks.tried, other.rss);
      if (!tooMuch && other.rss - one.rss > TOO_MUCH_BYTES) {
        tooMuch = true;
        load.send({ command: 'stop' });
      }
      await wait(SAMPLE_EVERY_MS);
    }
    return peaks;
  })();
  return {
    tooMuch: () => tooMuch,
    end() {
      isOver = true;
      return watching;
    },
  };
}

/** The least of some, after a collection: what is freed is given back after a while. */
async function settled(server) {
  let least = await ask(server, 'rss');
  for (let times = 0; times < 4; times++) {
    await wait(200);
    const next = await ask(server, 'rss');
    if (next.rss < least.rss) least = next;
  }
  return least;
}

function report(rounds) {
  const heads = [
    'who stops reading',
    'published',
    "others' p99, ratio to control",
    "control's p99, ms",
    'CPU, ratio',
    'memory over control, MB (heap, external)',
    'peak over start, MB (control)',
    'lost or doubled',
    'disconnected',
    'read on',
  ];
  const rows = rounds.map((each) => [
    each.name,
    String(each.published),
    spread(each.ratios),
    spread(each.controlMs),
    each.cpu.toFixed(2),
    `${megabytes(each.growth.rss)} (${megabytes(each.growth.heapUsed)}, ${megabytes(each.growth.external)})`,
    `${megabytes(each.overStart)} (${megabytes(each.controlOverStart)})`,
    ...readCells(each),
  ]);
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`;
  const how = `${seconds} s, store: ${values.store}. Ratios are medians of ${WINDOWS - 1} windows (quartiles).`;
  return `${table(heads, rows)}\n\n${how}\n${machine}`;
}

function readCells({ read }) {
  if (read === undefined) return ['–', '–', 'ended: it had grown by 1 GB'];
  const { missed, closed, got, readMs } = read;
  return [
    String(missed),
    String(closed),
    got === 0 ? '–' : `${got} messages in ${(readMs / 1000).toFixed(1)} s`,
  ];
}

function spread(all) {
  const { low, median, high } = quartiles(all);
  return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function megabytes(bytes) {
  return (bytes / MEGABYTE).toFixed(1);
}
