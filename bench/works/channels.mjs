import { ACCELERATED, DATA, sideBySide } from '../harness/sides.mjs';

export const title = 'Many channels: 5,000 connections, each on 5 of 5,000 channels';

/** Twenty messages at a time, each on another channel, each to five readers. */
export function run(bench) {
  const modulus = bench.quick ? 1000 : 5000;
  return sideBySide(bench, {
    mode: 'channels',
    peers: [...(bench.quick ? [] : [ACCELERATED]), 'uws', 'socket.io'],
    modulus,
    subscriptions: 5,
    open: { readers: modulus, publishers: 1 },
    window: ({ load, talk }, ms) => load.tell('fan', ms, 20, 5, talk.publish(DATA)),
    targets: [
      { than: 'floor', most: 1.6 },
      { than: 'socket.io', most: 0.6 },
      { of: ACCELERATED, than: 'uws', most: 1.12 },
    ],
  });
}
