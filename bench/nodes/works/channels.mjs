import { DATA } from '../../harness/sides.mjs';
import { compared } from '../table.mjs';

export const title = 'Many channels of few readers: 20 messages at once, each on another channel';

const CHANNELS = 1000;

/** Readers are numbered, those of the second server after those of the first: each channel has one on each. */
export const run = (bench) =>
  compared(bench, {
    names: ['earshot/alone', 'earshot/one', 'earshot/two', 'socket.io/one', 'socket.io/two'],
    options: { mode: 'channels', modulus: CHANNELS, subscriptions: 1 },
    works: [
      {
        text: '1,000 channels, two readers each',
        readers: 2 * CHANNELS,
        window: ({ load, talk }, ms) => load.tell('fan', ms, 20, 2, talk.publish(DATA)),
        goal: true,
      },
    ],
  });
