import { ACCELERATED, DATA, inBursts, sideBySide } from '../harness/sides.mjs';

export const title = 'One message at a time, 1,000 readers';

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'fan',
    peers: [ACCELERATED, 'ws', 'ws-bytes', 'uws', 'socket.io', 'fastify-websocket', 'sockjs'],
    open: { readers: bench.quick ? 500 : 1000, publishers: 1 },
    window: ({ load, talk }, ms) => load.tell('fan', ms, 1, bench.quick ? 500 : 1000, talk.publish(DATA)),
    warm: inBursts(bench.quick ? 500 : 1000),
    targets: [
      { than: 'floor', most: 1.5 },
      { than: 'ws', most: 0.8 },
      { than: 'socket.io', most: 0.65 },
      { of: ACCELERATED, than: 'floor', most: 1.12 },
      { of: ACCELERATED, than: 'uws', most: 1 },
    ],
  });
