// A bare socket of Node: writes frames of the size of Earshot's to who asks, as fast as they are taken: as one buffer that is
// there already, or each by a write of its own.
import { createServer } from 'node:net';
import { startPeer } from '../harness/peer.mjs';
import { dataOf } from '../harness/sides.mjs';
import { frame } from '../sockets.mjs';

export const title = "Node's net, bare writes of 64 KiB";
export const start = ({ how = 'together' }) => startPeer('node-socket', how);
export const talk = () => ({
  kind: 'w',
  reader: [
    ['R00000\n', '101'],
    ['S00000\n', 'ok'],
  ],
});

const MESSAGE = `{"type":"message","channel":"bench/00000","offset":"0mywpiww0i0_0000000000000001","from":"127.0.0.1:45678","at":1800000000000,"data":${dataOf(256)}}`;

export async function serve(how) {
  const one = unmasked(MESSAGE);
  const each = how === 'each' ? 1 : Math.floor(65_536 / one.length);
  const slab = Buffer.concat(Array(each).fill(one));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const [what, count] = [data.toString('latin1', 0, 1), Number(data.toString('latin1', 1, 6))];
      if (what === 'R') socket.write('HTTP/1.1 101 ok\r\n\r\n');
      if (what === 'S') socket.write(unmasked('ok'));
      if (what === 'L') writeAll(socket, slab, one.length * 1000 * count);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

function writeAll(socket, slab, bytes) {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const some = left < slab.length ? slab.subarray(0, left) : slab;
      left -= some.length;
      if (!socket.write(some)) return void socket.once('drain', more);
    }
  };
  more();
}

/** As a server sends it (RFC 6455 §5.2). */
function unmasked(text) {
  const masked = frame(text);
  const header = masked.length - 4 - Buffer.byteLength(text);
  const bytes = Buffer.concat([masked.subarray(0, header), Buffer.from(text)]);
  bytes[1] &= 0x7f;
  return bytes;
}
