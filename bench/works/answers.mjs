import { DATA, sideBySide } from '../harness/sides.mjs';

export const title = 'Publish with its answer over WebSocket, 100 connections with one in flight each';

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'echo',
    floor: false,
    peers: ['ws', 'uws', 'socket.io', 'sockjs'],
    open: { readers: 100, publishers: 0 },
    window: ({ load, talk }, ms) => load.tell('echo', ms, 100, talk.publish(DATA)),
    targets: [
      { than: 'ws', most: 1.3 },
      { than: 'socket.io', most: 0.85 },
    ],
  });
