// Requests as bytes, and what has to be there before them.
import { CHANNEL, talk } from '../peers/earshot.mjs';
import { openSocket, until } from '../sockets.mjs';

export function post(path, body, type = 'application/json') {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

export function get(path) {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
}

/** By publishing to it: its log is kept as is usual. */
export async function makeChannel(port) {
  const { publisher, publish } = talk({ mode: 'fan' });
  const socket = await openSocket(port);
  for (const [said, end] of [...publisher, [publish('"made"'), '"published"']]) {
    const came = until(socket, (text) => text.includes(end));
    socket.write(said);
    await came;
  }
  socket.destroy();
  return CHANNEL;
}
