// sockjs, on its WebSocket.

import { startPeer } from '../harness/peer.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'sockjs';
export const start = ({ mode }) => startPeer('sockjs', mode);

export async function serve(mode) {
  const [{ createServer }, { default: sockjs }] = await Promise.all([import('node:http'), import('sockjs')]);
  const server = createServer();
  const endpoint = sockjs.createServer({ prefix: '/echo', log: () => {}, heartbeat_delay: 3_600_000 });
  const all = new Set();
  endpoint.on('connection', (connection) => {
    all.add(connection);
    connection.on('close', () => all.delete(connection));
    connection.on('data', (data) => {
      if (mode === 'echo') connection.write(data);
      else for (const each of all) each.write(data);
    });
  });
  endpoint.installHandlers(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

const steps = [[handshakeText('/echo/000/aaaaaaaa/websocket'), '\r\n\r\n\x81\x01o']];
export const talk = () => ({
  kind: 'w',
  reader: steps.map(([said, until]) => [said, Buffer.from(until, 'latin1')]),
  publisher: steps.map(([said, until]) => [said, Buffer.from(until, 'latin1')]),
  publish: (data) => frame(JSON.stringify([data])),
});
