import { DATA } from '../../harness/sides.mjs';
import { talk as earshotTalk } from '../../peers/earshot.mjs';
import { CONTESTANTS } from '../contestants.mjs';
import { compared } from '../table.mjs';

export const title = 'A publish with its answer, to channels that nobody reads: what an append costs';

const CHANNELS = 1000;
const WORKS = [
  { text: 'one publisher', count: 1 },
  { text: '10 publishers, one in flight each', count: 10 },
  { text: '100 publishers, one in flight each', count: 100 },
  { text: '100 publishers, to 1,000 channels in turn', count: 100, isOfMany: true },
];
const toMany = earshotTalk({ mode: 'channels' });

/** Earshot has stored it by then; socket.io has only begun to tell the other servers, and keeps nothing. */
export const run = (bench) =>
  compared(bench, {
    names: Object.keys(CONTESTANTS).filter((name) => !(bench.quick && name === 'socket.io/one')),
    options: { mode: 'append', subscriptions: 0, modulus: CHANNELS },
    columns: [
      ['perSecond', 'a second, here'],
      ['p50Ms', 'p50, ms'],
      ['p99Ms', 'p99, ms'],
      ['cpuUs', 'CPU of all, µs'],
      ['serversUs', 'of it, the servers'],
      ['redisUs', 'Redis'],
    ],
    works: WORKS.map(({ text, count, isOfMany = false }) => ({
      text,
      readers: count,
      publishers: 0,
      window({ name, load, talk }, ms) {
        const { publish } = isOfMany && name.startsWith('earshot') ? toMany : talk;
        return load.tell('echo', ms, count, publish(DATA));
      },
    })),
  });
