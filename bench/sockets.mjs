// What a load speaks: raw sockets of the loopback, with as little work of its own as can be.
import { once } from 'node:events';
import { connect } from 'node:net';

/** The opening handshake of a WebSocket. */
export function handshakeText(path, protocol, headers = []) {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export async function openSocket(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', (error) => {
    throw error;
  });
  await once(socket, 'connect');
  return socket;
}

/** Waits for what `isIt` says of all that came since, which is then the answer. */
export function until(socket, isIt) {
  return new Promise((resolve) => {
    let text = '';
    const look = (bytes) => {
      text += bytes.toString('latin1');
      if (!isIt(text)) return;
      socket.off('data', look);
      resolve(text);
    };
    socket.on('data', look);
  });
}

/** One masked frame of text, by a key of zeros. */
export function frame(text) {
  const payload = Buffer.from(text);
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), payload]);
}
