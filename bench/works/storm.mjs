import { sideBySide } from '../harness/sides.mjs';

export const title = 'Connect, upgrade, close: a hundred at a time, for each connection';

/** Earshot is waited for until its welcome. */
export const run = (bench) =>
  sideBySide(bench, {
    mode: 'fan',
    floor: false,
    peers: ['ws', 'uws', 'fastify-websocket', 'socket.io', 'sockjs'],
    open: { readers: 0, publishers: 0 },
    window: ({ load, port, talk }, ms) =>
      load.tell('storm', ms, 100, port, ...talk.reader[0].map((part) => Buffer.from(part))),
    targets: [{ than: 'ws', most: 1.25 }],
  });
