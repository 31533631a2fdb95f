import { ACCELERATED, DATA, inBursts, sideBySide } from '../harness/sides.mjs';

export const title = 'Delay at 20 messages a second to 1,000 readers';
const PER_SECOND = 20;

export function run(bench) {
  const readers = bench.quick ? 500 : 1000;
  return sideBySide(bench, {
    mode: 'fan',
    peers: [...(bench.quick ? [] : [ACCELERATED]), 'uws', 'ws', 'socket.io'],
    open: { readers, publishers: 1 },
    turns: bench.quick ? { rounds: 2, windowMs: 400 } : { rounds: 5, windowMs: 1500 },
    window: ({ load, talk }, ms) => load.tell('rate', ms, PER_SECOND, readers, talk.publish(DATA)),
    warm: inBursts(readers),
    targets: [
      { than: 'floor', most: 1.3, value: 'p50Us' },
      { than: 'floor', most: 1.4, value: 'p99Us' },
      { than: 'uws', most: 1, value: 'p99Us' },
      { of: ACCELERATED, than: 'floor', most: 1.12 },
      { of: ACCELERATED, than: 'uws', most: 1 },
    ],
  });
}
