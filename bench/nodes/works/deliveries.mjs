import { DATA } from '../../harness/sides.mjs';
import { CONTESTANTS } from '../contestants.mjs';
import { compared } from '../table.mjs';

export const title = 'Deliveries: a message to readers on all servers, of which one has the publisher';

const WORKS = [
  { text: 'one at a time, 20 readers', readers: 20, burst: 1 },
  { text: 'one at a time, 200 readers', readers: 200, burst: 1, goal: true },
  { text: 'one at a time, 1,000 readers', readers: 1000, burst: 1, goal: true },
  { text: 'ten at once, 200 readers', readers: 200, burst: 10 },
  { text: 'ten at once, 1,000 readers', readers: 1000, burst: 10, goal: true },
  { text: 'ten at once from ten publishers, 1,000 readers', readers: 1000, burst: 10, publishers: 10 },
];

/** In windows of several messages a time the code is compiled at the first work; a little of it comes before each. */
export const run = (bench) =>
  compared(bench, {
    names: Object.keys(CONTESTANTS),
    options: { mode: 'fan' },
    works: WORKS.filter(({ goal }) => goal || !bench.quick).map((work) => ({
      ...work,
      window: ({ load, talk }, ms) => load.tell('fan', ms, work.burst, work.readers, talk.publish(DATA)),
    })),
  });
