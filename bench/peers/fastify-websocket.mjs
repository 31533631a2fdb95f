// @fastify/websocket, doing what the naive ws does.

import { startPeer } from '../harness/peer.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = '@fastify/websocket, naive';
export const start = ({ mode }) => startPeer('fastify-websocket', mode);

export async function serve(mode) {
  const [{ default: fastify }, { default: websocket }] = await Promise.all([
    import('fastify'),
    import('@fastify/websocket'),
  ]);
  const app = fastify();
  await app.register(websocket);
  app.get('/', { websocket: true }, (socket, { ip }) => {
    socket.on('message', (data) => {
      if (mode === 'echo') socket.send(data, { binary: false });
      else for (const client of app.websocketServer.clients) client.send(`${ip} -> ${data}`);
    });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

const steps = [[handshakeText('/'), '\r\n\r\n']];
export const talk = () => ({ kind: 'w', reader: steps, publisher: steps, publish: frame });
