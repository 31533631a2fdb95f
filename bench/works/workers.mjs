import { availableParallelism } from 'node:os';
import { short, spread } from '../harness/report.mjs';
import { connectSide, DATA, startSide, turnsOf } from '../harness/sides.mjs';
import { ratio, summary, takeTurns } from '../harness/windows.mjs';

export const title = 'One process, and two workers: CPU of all processes together';
const CORES = availableParallelism();
/** Of the servers; the load has core 1. */
const SERVERS_ON = CORES > 2 ? `0,2-${CORES - 1}` : '0';
const SIDES = [
  ['earshot/one', 'one process', []],
  ['earshot/workers', 'two workers and the one with the store', ['--workers', '2']],
];
const WORKS = [
  {
    text: 'one message at a time, 1,000 readers',
    mode: 'fan',
    open: ({ quick }) => ({ readers: quick ? 500 : 1000, publishers: 1 }),
    window: ({ load, talk }, ms, { quick }) =>
      load.tell('fan', ms, 1, quick ? 500 : 1000, talk.publish(DATA)),
  },
  {
    text: 'ten messages at once, 1,000 readers',
    mode: 'fan',
    open: ({ quick }) => ({ readers: quick ? 500 : 1000, publishers: 1 }),
    window: ({ load, talk }, ms, { quick }) =>
      load.tell('fan', ms, 10, quick ? 500 : 1000, talk.publish(DATA)),
  },
  {
    text: 'publish with its answer, 100 connections',
    mode: 'echo',
    open: () => ({ readers: 100, publishers: 0 }),
    window: ({ load, talk }, ms) => load.tell('echo', ms, 100, talk.publish(DATA)),
  },
];

export async function run(bench) {
  const rows = [];
  const seen = {};
  for (const work of WORKS) {
    const { found, more } = await measured(bench, work);
    seen[work.text] = found;
    for (const { title: side, cpuUs, perSecond, disturbed } of found)
      rows.push([`${work.text}${disturbed > 0 ? ' *' : ''}`, side, spread(cpuUs), spread(perSecond)]);
    rows.push(['', 'the second, times the first', spread(more.cpu), spread(more.perSecond)]);
  }
  return {
    heads: ['', '', 'CPU, µs', 'a second'],
    rows,
    seen,
    notes: [WALL_CLOCK, ...(bench.programs.load === undefined ? [ONLY_ONE] : [])],
    checks: [],
  };
}

/** What the figures of a second are worth here. */
const WALL_CLOCK =
  CORES > 3
    ? `The servers had ${CORES - 1} of ${CORES} cores, the load one.`
    : `This machine has ${short(CORES)} cores, of which the load takes one: it can't show how much more workers deliver in a second, only what they cost.`;
const ONLY_ONE = 'Without the load in C the CPU is that of one of the processes: here it says nothing.';

async function measured(bench, { mode, open, window }) {
  const sides = [];
  try {
    for (const [name, sideTitle, flags] of SIDES) {
      const side = await startSide(bench, name, { mode, title: sideTitle, flags, cores: SERVERS_ON });
      sides.push(side);
      await connectSide(side, open(bench));
    }
    const turns = await takeTurns({
      sides: sides.map((side) => ({ name: side.name, window: (ms) => window(side, ms, bench) })),
      ...turnsOf(bench),
      ...bench.turns,
    });
    const [one, workers] = SIDES.map(([name]) => name);
    const rate = {
      ...turns,
      windows: turns.windows.map((each) => ({ ...each, rate: each.deliveries / each.wallNs })),
    };
    return {
      found: summary(turns, new Map(sides.map(({ name, title: sideTitle }) => [name, sideTitle]))),
      more: { cpu: ratio(turns, workers, one), perSecond: ratio(rate, workers, one, 'rate') },
    };
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}
