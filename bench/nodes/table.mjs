// Contestants on some works, and the table of them.
import { short, spread } from '../harness/report.mjs';
import { ratio } from '../harness/windows.mjs';
import { CORES, connectTo, measure, seenOf, startContestant } from './contestants.mjs';

/** What is to be reached: at least this many times the deliveries of the peer for each second of CPU. */
const TIMES = 1.5;
const SUBJECT = 'earshot/two';
const ACCELERATED = 'accelerated/two';
const ONE = 'earshot/one';
const PEER = 'socket.io/two';
/** Two nodes have as much to compile each as one, and take as long again: what comes first would be too dear. */
const WARM_CPU_MS = 3000;

const COLUMNS = [
  ['cpuUs', 'CPU of all, µs'],
  ['serversUs', 'of it, the servers'],
  ['redisUs', 'Redis'],
  ['perCpuSecond', 'for each second of CPU'],
  ['perSecond', 'a second, here'],
];

/**
 * `works`: what each is called, how many read and publish, one window of it, and whether the goal is meant for it.
 * `isOfTwo`: two nodes are among them, and are told as a ratio to one.
 */
export async function compared(bench, { names, options, works, columns = COLUMNS, isOfTwo = true }) {
  const contestants = [];
  try {
    for (const name of names) contestants.push(await startContestant(bench, name, options));
    const found = [];
    for (const work of works) {
      for (const each of contestants) {
        await each.load.tell('close');
        await connectTo(each, { readers: work.readers, publishers: work.publishers ?? 1 });
      }
      const turns = found.length === 0 && !bench.quick ? { warmCpuMs: WARM_CPU_MS } : {};
      found.push({ ...work, turns: await measure(bench, contestants, work.window, turns) });
    }
    return reported(found, contestants, { columns, isOfTwo });
  } finally {
    await Promise.all(contestants.map((each) => each.stop()));
  }
}

function reported(found, contestants, { columns, isOfTwo }) {
  const rows = found.flatMap(({ text, turns }) =>
    contestants.map(({ name, title }) => [
      `${text}${isDisturbed(turns, name) ? ' *' : ''}`,
      title,
      ...columns.map(([value]) => inCell(seenOf(turns, name, value))),
    ]),
  );
  return {
    heads: ['', '', ...columns.map(([, head]) => head)],
    rows,
    seen: Object.fromEntries(found.map(({ text, turns }) => [text, seenIn(turns, contestants, columns)])),
    notes: [...(isOfTwo ? found.map(inProportion) : []), WALL_CLOCK],
    checks: found.filter(({ goal }) => goal).flatMap((each) => checksOf(each, contestants)),
  };
}

const inCell = (seen) => (seen === undefined ? '–' : spread(seen));

function isDisturbed({ windows }, name) {
  const own = windows.filter((each) => each.name === name);
  return own.filter(({ disturbed }) => disturbed).length > own.length / 2;
}

function seenIn(turns, contestants, columns) {
  const values = [...columns.map(([value]) => value), 'dearestUs', 'firstMessageUs', 'secondMessageUs'];
  return Object.fromEntries(
    contestants.map(({ name }) => [
      name,
      Object.fromEntries(values.map((value) => [value, seenOf(turns, name, value)])),
    ]),
  );
}

/** Two nodes to one: what all of it costs, and what there would be where each process had a core of its own. */
function inProportion({ text, turns }) {
  const cpu = ratio(turns, SUBJECT, ONE);
  const bound = ratio(turns, ONE, SUBJECT, 'dearestUs');
  return (
    `${text}: two nodes to one node, CPU of all ${spread(cpu)}. With a core for each process it would be ` +
    `${spread(bound)} times as many a second: computed, the one with most to do bounds them.`
  );
}

/** The goal, for each pair of nodes that is there. */
function checksOf({ text, turns }, contestants) {
  const pairs = contestants.filter(({ name }) => name === SUBJECT || name === ACCELERATED);
  return pairs.map(({ name }) => ({
    text: `${text}: deliveries for each second of CPU, two ${name === ACCELERATED ? 'accelerated ' : ''}nodes to ${PEER.replace('/', ' with ')} servers`,
    least: TIMES,
    seen: ratio(turns, name, PEER, 'perCpuSecond'),
  }));
}

export const WALL_CLOCK =
  CORES > 3
    ? `Servers and Redis had ${CORES - 1} of ${CORES} cores together, the load one.`
    : `This machine has ${short(CORES)} cores, of which the load takes one: servers and Redis share the other, and "a second, here" can't show what more nodes bring.`;
