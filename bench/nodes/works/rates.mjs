import { DATA } from '../../harness/sides.mjs';
import { compared } from '../table.mjs';

export const title =
  'At a rate: one message after the other, each on another of 1,000 channels with two readers';

const CHANNELS = 1000;
const RATES = [100, 500, 2000, 5000];

/**
 * A server that has little to do is woken for each message, and pays for that: the fewer come, the dearer is each. The delay isn't
 * told here: readers don't know which message they got.
 */
export const run = (bench) =>
  compared(bench, {
    names: ['earshot/alone', 'earshot/one', 'earshot/two', 'socket.io/two'],
    options: { mode: 'channels', modulus: CHANNELS, subscriptions: 1 },
    columns: [
      ['messageUs', 'CPU of all for each message, µs'],
      ['firstMessageUs', 'of it, the server with the publisher'],
      ['secondMessageUs', 'the other one'],
      ['redisMessageUs', 'Redis'],
      ['coreShare', 'of a core, all of it'],
    ],
    works: RATES.filter((rate) => !bench.quick || rate === 500).map((rate) => ({
      text: `${rate} a second`,
      readers: 2 * CHANNELS,
      async window({ load, talk }, ms) {
        const seen = await load.tell('rate', ms, rate, 2, talk.publish(DATA));
        const { p50Us: _, p99Us: __, ...rest } = seen;
        return rest;
      },
    })),
    isOfTwo: false,
  });
