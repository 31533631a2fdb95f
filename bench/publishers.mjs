// How long a quiet publisher waits for its answers while another publishes without end. See README.md beside this file.
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ask, deadline, quartiles, startLoad, startServer, stop, storeArgs, table } from './processes.mjs';

const many = '1000000000';
const SERVERS = {
  earshot: () =>
    startServer('../dist/cli.js', [
      'serve',
      '--dev',
      '--port',
      '0',
      '--log-level',
      'warn',
      ...storeArgs(values.store),
      '--limits-commands-per-second',
      many,
      '--limits-command-burst',
      many,
    ]),
  acknowledging: () => startServer('naive.mjs', ['acknowledging']),
};
const FLOODS = [
  { name: 'Earshot, a WebSocket', kind: 'earshot', by: 'websocket' },
  { name: 'Earshot, `POST`s one behind the other', kind: 'earshot', by: 'post' },
  { name: 'Earshot, `POST`s of 10,000 messages', kind: 'earshot', by: 'batch' },
  { name: '`ws`, a WebSocket', kind: 'acknowledging', by: 'websocket' },
];
const ROUNDS = 5;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '2' }, store: { type: 'string', default: 'memory' } },
});
const ms = Number(values.seconds) * 1000;
if (!(ms > 0)) throw new Error('--seconds: of one window, a number');

const givenUp = deadline((ROUNDS + 1) * FLOODS.length * (ms * 2 + 20_000));
const running = {};
for (const [kind, start] of Object.entries(SERVERS)) {
  const { server, port } = await start();
  const [quiet, flooder] = [
    await startLoad('publishers-load.mjs', [kind, String(port)]),
    await startLoad('publishers-load.mjs', [kind, String(port)]),
  ];
  running[kind] = { server, quiet, flooder };
}
const found = FLOODS.map((flood) => ({ ...flood, alone: [], flooded: [], perSecond: [] }));
for (let round = 0; round <= ROUNDS; round++) {
  for (const each of found) {
    const { alone, flooded, perSecond } = await measure(each);
    if (round === 0) continue; // it only warms up
    each.alone.push(alone);
    each.flooded.push(flooded);
    each.perSecond.push(perSecond);
  }
}
for (const { server, quiet, flooder } of Object.values(running)) await stop(quiet, flooder, server);
clearTimeout(givenUp);
console.log(report());

/** A window in which the quiet one is alone, and one in which it is not. */
async function measure({ kind, by }) {
  const { quiet, flooder } = running[kind];
  const alone = await ask(quiet, { command: 'quiet', ms });
  const flood = ask(flooder, { command: 'flood', by, ms: ms + 200 });
  const flooded = await ask(quiet, { command: 'quiet', ms });
  const count = await flood;
  return { alone: p99(alone), flooded: p99(flooded), perSecond: count / ((ms + 200) / 1000) };
}

function p99(latencies) {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * 0.99)] ?? 0;
}

function report() {
  const heads = [
    'who floods',
    'alone: p99, ms',
    'beside it: p99, ms',
    'ratio',
    'messages of the flood, a second',
  ];
  const rows = found.map(({ name, alone, flooded, perSecond }) => [
    name,
    spread(alone),
    spread(flooded),
    spread(flooded.map((each, at) => each / alone[at])),
    Math.round(quartiles(perSecond).median).toLocaleString('en'),
  ]);
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`;
  return `${table(heads, rows)}\n\n${ROUNDS} rounds of windows of ${ms / 1000} s: median (quartiles)\n${machine}`;
}

function spread(all) {
  const { low, median, high } = quartiles(all);
  return `${median.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
}
