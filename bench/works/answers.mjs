import { DATA, sideBySide } from '../harness/sides.mjs';
import { talk as earshotTalk } from '../peers/earshot.mjs';

export const title = 'Publish with its answer over WebSocket, 100 connections with one in flight each';

/** The same, while others read other channels. */
const CROWDED = 'earshot/crowded';
const CROWD = 5000;

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'echo',
    floor: false,
    peers: [...(bench.quick ? [] : [CROWDED]), 'ws', 'uws', 'socket.io', 'sockjs'],
    modulus: CROWD,
    optionsOf: (name) =>
      name === CROWDED ? { title: `Earshot, with ${CROWD} readers of as many others` } : {},
    open: { readers: 100, publishers: 0 },
    async prepare({ name, load, port }) {
      if (name !== CROWDED) return;
      const { kind, reader } = earshotTalk({ mode: 'crowd' });
      await load.open('p', { kind, count: CROWD, port, steps: reader });
    },
    window: ({ load, talk }, ms) => load.tell('echo', ms, 100, talk.publish(DATA)),
    targets: [
      { of: CROWDED, than: 'earshot', most: 1.1, text: 'with a crowd elsewhere: CPU, times without' },
      { than: 'ws', most: 1.3 },
      { than: 'socket.io', most: 0.85 },
    ],
  });
