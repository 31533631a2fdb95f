import { ACCELERATED, DATA, sideBySide } from '../harness/sides.mjs';

export const title = 'Bursts of 10 messages from one publisher, 1,000 readers';

export const run = (bench) =>
  bursts(bench, 1, [
    { than: 'floor', most: 1.6 },
    { than: 'ws', most: 0.085 },
    { than: 'socket.io', most: 0.11 },
  ]);

/** Ten messages at once, from so many. */
export function bursts(bench, publishers, targets) {
  const readers = bench.quick ? 500 : 1000;
  return sideBySide(bench, {
    mode: 'fan',
    peers: [
      ...(bench.quick && publishers > 1 ? [] : [ACCELERATED]),
      'ws',
      'uws',
      'socket.io',
      'fastify-websocket',
      'sockjs',
    ],
    open: { readers, publishers },
    window: ({ load, talk }, ms) => load.tell('fan', ms, 10, readers, talk.publish(DATA)),
    targets: [
      ...targets,
      { of: ACCELERATED, than: 'floor', most: 1.12 },
      { of: ACCELERATED, than: 'uws', most: 1 },
    ],
  });
}
