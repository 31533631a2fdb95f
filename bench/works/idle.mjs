import { spawnSync } from 'node:child_process';
import { spread } from '../harness/report.mjs';
import { connectSide, DATA, startSide } from '../harness/sides.mjs';
import { settledRss } from '../processes.mjs';

export const title = 'Memory of an idle session with one subscription, KiB of RSS';

/** The kernel's memory for a socket is in nobody's RSS. Each server is alone: nothing is timed here. */
export async function run(bench) {
  const [few, many, most] = countsWithin(
    descriptors(),
    bench.quick ? [500, 2000, 3500] : [2000, 10_000, 18_000],
  );
  const seen = [];
  for (const name of ['earshot', 'ws', ...(bench.quick ? [] : ['uws', 'socket.io'])]) {
    seen.push(await memoryOf(await startSide(bench, name, { mode: 'fan' }), { few, many, most }));
  }
  const one = (value) => ({ low: value, median: value, high: value });
  return {
    heads: ['', `at ${many}`, `each of those from ${few} to ${most}`, 'the same after 3 messages'],
    rows: seen.map(({ title, ...values }) => [
      title,
      ...Object.values(values).map((value) => spread(one(value))),
    ]),
    seen,
    checks: bench.quick ? [] : checksOf(seen[0], one),
  };
}

function checksOf({ at, marginal, afterMessages }, one) {
  return [
    { text: 'KiB a session', most: 8, seen: one(at) },
    { text: 'KiB of one more', most: 6, seen: one(marginal) },
    { text: 'KiB of one more, after messages', most: 6, seen: one(afterMessages) },
  ];
}

async function memoryOf(side, { few, many, most }) {
  const { server, load, talk } = side;
  const open = (count) => connectSide(side, { readers: count, publishers: 0 });
  try {
    await open(100);
    await load.tell('close'); // what the first ones cost is no session's
    const none = await settledRss(server);
    await open(few);
    const atFew = await settledRss(server);
    await open(many - few);
    const atMany = await settledRss(server);
    await open(most - many);
    const atMost = await settledRss(server);
    await connectSide(side, { readers: 0, publishers: 1 });
    for (let times = 0; times < 3; times++) await load.tell('fan', 0, 1, most, talk.publish(DATA));
    const after = await settledRss(server);
    const kib = (from, to, count) => (to - from) / 1024 / count;
    return {
      title: side.title,
      at: kib(none, atMany, many),
      marginal: kib(atFew, atMost, most - few),
      afterMessages: kib(atFew, after, most - few),
    };
  } finally {
    await side.stop();
  }
}

function descriptors() {
  return Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout) || 1024;
}

function countsWithin(bound, counts) {
  const share = Math.min(1, (bound - 200) / counts.at(-1));
  return counts.map((count) => Math.floor(count * share));
}
