// socket.io, on its WebSocket alone; where there is a Redis, several of them with its Redis adapter.

import { startPeer } from '../harness/peer.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'socket.io';
export const start = ({ mode, redis }) => startPeer('socket.io', mode, redis);

const handlers = {
  fan: (io, socket) => socket.on('message', (data) => io.emit('message', data)),
  channels(io, socket) {
    socket.on('subscribe', (channel, answer) => {
      socket.join(channel);
      answer('subscribed');
    });
    socket.on('message', (channel, data) => io.to(channel).emit('message', channel, data));
  },
  echo: (_io, socket) => socket.on('message', (_data, answer) => answer('published')),
  /** Told to a room in which nobody is: to other servers it goes all the same. */
  append: (io, socket) =>
    socket.on('message', (data, answer) => {
      io.to('nobody').emit('message', data);
      answer('published');
    }),
};

export async function serve(mode, redis) {
  const [{ createServer }, { Server }] = await Promise.all([import('node:http'), import('socket.io')]);
  const server = createServer();
  // A ping is answered by no load of ours.
  const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 3_600_000 });
  if (redis !== undefined) io.adapter(await adapterOf(redis));
  io.on('connection', (socket) => handlers[mode](io, socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

/** With the client that Earshot has, and what makes that one cheapest. */
async function adapterOf(redis) {
  const [{ Redis }, { createAdapter }] = await Promise.all([
    import('ioredis'),
    import('@socket.io/redis-adapter'),
  ]);
  const publishing = new Redis(redis, { enableAutoPipelining: true });
  return createAdapter(publishing, publishing.duplicate());
}

const greet = [
  [handshakeText('/socket.io/?EIO=4&transport=websocket'), '"sid"'],
  [frame('40'), '40{"sid"'],
];
const subscribe = [frame('420["subscribe","#####"]'), 'subscribed'];
const answered = (data) => `421["message",${data}]`;
const published = {
  fan: (data) => `42["message",${data}]`,
  channels: (data) => `42["message","#####",${data}]`,
  echo: answered,
  append: answered,
};
export const talk = ({ mode, subscriptions = 0 }) => ({
  kind: 'w',
  reader: [...greet, ...Array(subscriptions).fill(subscribe)],
  publisher: greet,
  publish: (data) => frame(published[mode](data)),
});
