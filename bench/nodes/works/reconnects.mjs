import { compared } from '../table.mjs';

export const title = 'Coming back: connect, subscribe to one channel, close; a hundred at a time';

const WORKS = [
  { text: 'connect and close alone', channels: 1, subscribes: false },
  { text: 'all to a channel that somebody reads', channels: 1 },
  { text: 'each to another of 1,000 channels, which nobody reads', channels: 1000 },
];

/** Nobody publishes. The one reader has the first of the channels. */
export const run = (bench) =>
  compared(bench, {
    names: ['earshot/alone', 'earshot/one', 'socket.io/one'],
    options: { mode: 'channels', subscriptions: 1, modulus: 1 },
    columns: [
      ['cpuUs', 'CPU of all, µs'],
      ['serversUs', 'of it, the servers'],
      ['redisUs', 'Redis'],
      ['perSecond', 'a second, here'],
    ],
    works: WORKS.map(({ text, channels, subscribes = true }) => ({
      text,
      readers: 1,
      publishers: 0,
      async window({ load, talk, ports: [port] }, ms) {
        await load.tell('modulus', channels);
        const steps = subscribes ? talk.reader : talk.publisher;
        const seen = await load.tell(
          'storm',
          ms,
          100,
          port,
          ...steps.flat().map((part) => Buffer.from(part)),
        );
        await load.tell('modulus', 1);
        return seen;
      },
    })),
    isOfTwo: false,
  });
