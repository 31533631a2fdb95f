// socket.io, on its WebSocket alone.

import { startPeer } from '../harness/peer.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'socket.io';
export const start = ({ mode }) => startPeer('socket.io', mode);

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
};

export async function serve(mode) {
  const [{ createServer }, { Server }] = await Promise.all([import('node:http'), import('socket.io')]);
  const server = createServer();
  // A ping is answered by no load of ours.
  const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 3_600_000 });
  io.on('connection', (socket) => handlers[mode](io, socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

const greet = [
  [handshakeText('/socket.io/?EIO=4&transport=websocket'), '"sid"'],
  [frame('40'), '40{"sid"'],
];
const subscribe = [frame('420["subscribe","#####"]'), 'subscribed'];
const published = {
  fan: (data) => `42["message",${data}]`,
  channels: (data) => `42["message","#####",${data}]`,
  echo: (data) => `421["message",${data}]`,
};
export const talk = ({ mode, subscriptions = 0 }) => ({
  kind: 'w',
  reader: [...greet, ...Array(subscriptions).fill(subscribe)],
  publisher: greet,
  publish: (data) => frame(published[mode](data)),
});
