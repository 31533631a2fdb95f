import { DATA } from '../../harness/sides.mjs';
import { CONTESTANTS } from '../contestants.mjs';
import { compared } from '../table.mjs';

export const title = 'A publish with its answer, to a channel that nobody reads: what an append costs';

const PUBLISHERS = [1, 10, 100];

/** Earshot has stored it by then; socket.io has only begun to tell the other servers, and keeps nothing. */
export const run = (bench) =>
  compared(bench, {
    names: Object.keys(CONTESTANTS).filter((name) => !(bench.quick && name === 'socket.io/one')),
    options: { mode: 'append', subscriptions: 0 },
    columns: [
      ['perSecond', 'a second, here'],
      ['p50Ms', 'p50, ms'],
      ['p99Ms', 'p99, ms'],
      ['cpuUs', 'CPU of all, µs'],
      ['serversUs', 'of it, the servers'],
      ['redisUs', 'Redis'],
    ],
    works: PUBLISHERS.map((count) => ({
      text: count === 1 ? 'one publisher' : `${count} publishers, one in flight each`,
      readers: count,
      publishers: 0,
      window: ({ load, talk }, ms) => load.tell('echo', ms, count, talk.publish(DATA)),
    })),
  });
