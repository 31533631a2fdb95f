import { makeChannel, post } from '../harness/http.mjs';
import { spread } from '../harness/report.mjs';
import { DATA, startSide, turnsOf } from '../harness/sides.mjs';
import { summary, takeTurns } from '../harness/windows.mjs';
import { PATH } from '../peers/durable-streams.mjs';
import { storeArgs } from '../processes.mjs';

export const title = 'Publish over HTTP into a store, one in flight each';
const PUBLISHERS = [1, 10, 100];
const STORES = [
  ['earshot/memory', () => ({ title: 'Earshot, memory', store: storeArgs('memory') })],
  ['earshot/lmdb', () => ({ title: 'Earshot, lmdb', store: storeArgs('lmdb') })],
  ['earshot/fsync', () => ({ title: 'Earshot, lmdb with fsync', store: [...storeArgs('lmdb'), '--fsync'] })],
  ['durable-streams', () => ({})],
];

export async function run(bench) {
  const sides = [];
  for (const [name, options] of STORES)
    sides.push(await startSide(bench, name, { mode: 'http', ...options() }));
  const rows = [];
  const seen = {};
  try {
    for (const side of sides) side.request = await requestFor(side);
    for (const publishers of PUBLISHERS) {
      const turns = await takeTurns({
        sides: sides.map((side) => ({ name: side.name, window: (ms) => windowOf(side, publishers, ms) })),
        ...turnsOf(bench),
        rounds: bench.quick ? 2 : 5,
        ...bench.turns,
        ...(publishers > 1 && { warmCpuMs: 0 }), // they are warm by then
      });
      seen[publishers] = summary(turns, new Map(sides.map(({ name, title }) => [name, title])));
      for (const { title, perSecond, p50Ms, p99Ms, cpuUs, disturbed } of seen[publishers]) {
        const cells = [perSecond, p50Ms, p99Ms, cpuUs].map(spread);
        rows.push([`${title}${disturbed > 0 ? ' *' : ''}`, publishers, ...cells]);
      }
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
  return {
    heads: ['', 'publishers', 'appends a second', 'p50, ms', 'p99, ms', 'CPU, µs'],
    rows,
    seen,
    checks: [],
  };
}

async function requestFor({ name, port }) {
  if (name.startsWith('earshot')) return post(`/v1/stream/${await makeChannel(port)}`, DATA);
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`http://127.0.0.1:${port}${PATH}`, { method: 'PUT', headers });
  if (!made.ok) throw new Error(`the stream could not be made: ${made.status}`);
  return post(PATH, DATA);
}

async function windowOf({ load, port, request }, count, ms) {
  await load.open('r', { kind: 'h', count, port, steps: [] });
  const seen = await load.tell('echo', ms, count, request);
  await load.tell('close');
  return seen;
}
