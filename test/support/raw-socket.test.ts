import { once } from 'node:events';
import { createServer } from 'node:http';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { closeFrame, closeOf, frame, handshake, OPCODES, parseFrames, rawConnect } from './raw-socket.js';
import type { Teardown } from './spawn.js';

/** A server of somebody else: it answers HTTP by the path, and echoes on a WebSocket. */
async function listen(t: Teardown): Promise<number> {
  const server = createServer((request, response) => {
    if (request.url === '/cut') {
      request.socket.resetAndDestroy();
      return;
    }
    if (request.url === '/until-end') response.shouldKeepAlive = false;
    if (request.url === '/length') response.setHeader('content-length', 4);
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.write('hä');
    response.end('!');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => {}); // it is told what broke by a close
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

t.test('raw socket / a handshake and frames of each size → come back as they went', async (t) => {
  const raw = await rawConnect(t, await listen(t));
  await raw.send(handshake({ path: '/ws?a', protocols: [] }));
  t.match(await raw.response(), { status: 101, headers: { upgrade: 'websocket' } });

  const payloads = [0, 125, 126, 65_535, 65_536].map((size) => Buffer.alloc(size, 'ab'));
  await raw.send(Buffer.concat(payloads.map((payload) => frame({ payload }))));
  const echoed = await raw.readUntil((bytes) => {
    const { frames } = parseFrames(bytes);
    return frames.length === payloads.length && frames;
  });
  t.ok(
    echoed.every(({ payload, masked, opcode, fin }, at) => {
      return payload.equals(payloads[at] ?? Buffer.of(1)) && !masked && opcode === OPCODES.text && fin;
    }),
  );
  t.strictSame(parseFrames(frame({ payload: 'ü', fin: false, rsv: 5, opcode: OPCODES.binary })).frames, [
    { fin: false, rsv: 5, opcode: OPCODES.binary, masked: true, payload: Buffer.from('ü') },
  ]);
});

t.test('raw socket / frames that may not be → are sent as told, and answered by a close', async (t) => {
  const port = await listen(t);
  const closeAfter = async (bytes: Buffer) => {
    const raw = await rawConnect(t, port);
    await raw.send(handshake());
    await raw.response();
    await raw.send(bytes);
    const [first] = await raw.readUntil(
      (all) => parseFrames(all).frames.length > 0 && parseFrames(all).frames,
    );
    const { hadError } = await raw.closed;
    t.notOk(hadError);
    return first && closeOf(first);
  };
  t.match(await closeAfter(frame({ masked: false, payload: 'a' })), { code: 1002 });
  t.match(await closeAfter(frame({ rsv: 2 })), { code: 1002 });
  t.match(await closeAfter(frame({ opcode: OPCODES.ping, lengthBytes: 2 })), { code: 1002 });
  t.match(await closeAfter(frame({ lengthOverride: 2n ** 60n })), { code: 1009 });
  t.match(await closeAfter(closeFrame(4000, 'gut')), { code: 4000 });
  t.match(await closeAfter(closeFrame()), { code: 1005 });
});

t.test('raw socket / bodies by length, in chunks, until the end → are read whole', async (t) => {
  const port = await listen(t);
  for (const path of ['/length', '/chunked', '/until-end']) {
    const raw = await rawConnect(t, port);
    await raw.send(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    const { status, reason, headers, body } = await raw.response();
    t.strictSame([status, reason, body, headers['set-cookie']], [200, 'OK', 'hä!', 'a=1, b=2'], path);
    t.equal(raw.received().length, 0);
  }
});

t.test('raw socket / a handshake with overrides → has them in place of the usual', async (t) => {
  const headers = { Host: undefined, 'Sec-WebSocket-Key': ['a', 'b'], origin: 'null' };
  const text = handshake({ method: 'POST', path: '/x', httpVersion: '1.0', version: 8, headers });
  t.match(text, /^POST \/x HTTP\/1\.0\r\n.*\r\n\r\n$/s);
  t.match(text, 'sec-websocket-version: 8\r\n');
  t.match(text, 'sec-websocket-key: a\r\nsec-websocket-key: b\r\n');
  t.match(text, 'origin: null\r\n');
  t.notMatch(text, /host/i);
});

t.test('raw socket / a peer that cuts the line → ends the wait and says so', async (t) => {
  const raw = await rawConnect(t, await listen(t));
  await raw.send('GET /cut HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await t.rejects(raw.response(), { message: /^the peer ended/ });
  const { hadError, afterMs } = await raw.closed;
  t.ok(hadError);
  t.ok(afterMs < 5_000);
});

t.test('raw socket / nothing fitting comes → the wait ends', async (t) => {
  const raw = await rawConnect(t, await listen(t));
  await t.rejects(
    raw.readUntil(() => false, 20),
    { message: /^nothing fitting came in 20 ms/ },
  );
});
