import { deflateRawSync } from 'node:zlib';
import type { Test } from 'tap';
import t from 'tap';
import { peer } from '../support/peer.js';
import type { Frame, RawSocket } from '../support/raw-socket.js';
import { closeFrame, closeOf, frame, OPCODES, parseFrames } from '../support/raw-socket.js';
import type { Scene } from './scene.js';
import { GONE_MS, scene, undisturbed, upgraded } from './scene.js';

const PING = frame({ payload: '{"type":"ping","id":1}' });
const { continuation, text, binary, close, ping, pong } = OPCODES;

interface Fault {
  readonly bytes: Uint8Array;
  /** That the peer is closed with. */
  readonly code: number;
  /** That is counted. */
  readonly error: string;
}

/** The peer breaks a rule: it is told by the close code, counted by ws's, and cut though it answers nothing. */
async function closedFor(t: Test, on: Scene, raw: RawSocket, { bytes, code, error }: Fault): Promise<void> {
  const counted = { code: error };
  const before = await on.metric('earshot_ws_errors_total', counted);
  const since = performance.now();
  await raw.send(bytes);
  const closed = await firstOf(raw, close);
  t.equal(closeOf(closed).code, code);
  await raw.closed;
  t.ok(performance.now() - since < GONE_MS, 'the socket is gone within a second');
  await on.metricReaches(before + 1, 'earshot_ws_errors_total', counted);
  t.equal(await on.metric('earshot_ws_errors_total', counted), before + 1, 'it is counted once');
  await on.metricReaches(1, 'earshot_closes_total');
  await undisturbed(t, on);
}

function firstOf(raw: RawSocket, opcode: number): Promise<Frame> {
  return raw.readUntil((bytes) => parseFrames(bytes).frames.find((each) => each.opcode === opcode));
}

const fragment = (opcode: number, payload = '', fin = false) => frame({ opcode, payload, fin });
const repeat = (bytes: Uint8Array, count: number) =>
  Buffer.concat(Array.from({ length: count }, () => bytes));

const FAULTS: Record<string, Fault> = {
  'text that is not UTF-8': {
    bytes: frame({ payload: Buffer.of(0x7b, 0xc3, 0x28) }),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8',
  },
  'half a surrogate in UTF-8': {
    bytes: frame({ payload: Buffer.of(0xed, 0xa0, 0x80) }),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8',
  },
  'a close whose reason is not UTF-8': {
    bytes: frame({ opcode: close, payload: Buffer.of(0x03, 0xe8, 0xff) }),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8',
  },
  'no mask': { bytes: frame({ masked: false, payload: 'a' }), code: 1002, error: 'WS_ERR_EXPECTED_MASK' },
  RSV1: { bytes: frame({ rsv: 4, payload: 'a' }), code: 1002, error: 'WS_ERR_UNEXPECTED_RSV_1' },
  RSV2: { bytes: frame({ rsv: 2, payload: 'a' }), code: 1002, error: 'WS_ERR_UNEXPECTED_RSV_2_3' },
  RSV3: { bytes: frame({ rsv: 1, payload: 'a' }), code: 1002, error: 'WS_ERR_UNEXPECTED_RSV_2_3' },
  'opcode 3': { bytes: frame({ opcode: 3 }), code: 1002, error: 'WS_ERR_INVALID_OPCODE' },
  'opcode 11': { bytes: frame({ opcode: 11 }), code: 1002, error: 'WS_ERR_INVALID_OPCODE' },
  'a ping in fragments': { bytes: fragment(ping), code: 1002, error: 'WS_ERR_EXPECTED_FIN' },
  'a close in fragments': { bytes: fragment(close), code: 1002, error: 'WS_ERR_EXPECTED_FIN' },
  'a ping of 126 bytes': {
    bytes: frame({ opcode: ping, payload: Buffer.alloc(126) }),
    code: 1002,
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  },
  'a continuation of nothing': {
    bytes: fragment(continuation, 'a', true),
    code: 1002,
    error: 'WS_ERR_INVALID_OPCODE',
  },
  'a text within a text': {
    bytes: Buffer.concat([fragment(text, 'a'), fragment(text, 'b', true)]),
    code: 1002,
    error: 'WS_ERR_INVALID_OPCODE',
  },
  'close code 999': { bytes: closeFrame(999), code: 1002, error: 'WS_ERR_INVALID_CLOSE_CODE' },
  'close code 1005': { bytes: closeFrame(1005), code: 1002, error: 'WS_ERR_INVALID_CLOSE_CODE' },
  'close code 1006': { bytes: closeFrame(1006), code: 1002, error: 'WS_ERR_INVALID_CLOSE_CODE' },
  'close code 5000': { bytes: closeFrame(5000), code: 1002, error: 'WS_ERR_INVALID_CLOSE_CODE' },
  'a close of one byte': {
    bytes: frame({ opcode: close, payload: 'a' }),
    code: 1002,
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  },
  'one byte above the limit': {
    bytes: frame({ payload: Buffer.alloc(65_537, ' ') }),
    code: 1009,
    error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  },
  'a length above the limit, and no payload': {
    bytes: frame({ lengthOverride: 2 ** 32 }),
    code: 1009,
    error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  },
  'a length of 2^63': {
    bytes: frame({ lengthOverride: 2n ** 63n }),
    code: 1009,
    error: 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  },
  'fragments that are too large together': {
    bytes: Buffer.concat([fragment(text, ' '.repeat(40_000)), fragment(continuation, ' '.repeat(40_000))]),
    code: 1009,
    error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  },
  '65 fragments': {
    bytes: Buffer.concat([fragment(text, '['), repeat(fragment(continuation, ' '), 64)]),
    code: 1008,
    error: 'WS_ERR_TOO_MANY_BUFFERED_PARTS',
  },
  '100,000 empty fragments': {
    bytes: Buffer.concat([fragment(text), repeat(fragment(continuation), 100_000)]),
    code: 1008,
    error: 'WS_ERR_TOO_MANY_BUFFERED_PARTS',
  },
};

t.test(
  'frames / what RFC 6455 forbids, or the limits → close code, count, cut; others undisturbed',
  async (t) => {
    const on = await scene(t);
    for (const [name, fault] of Object.entries(FAULTS)) {
      await t.test(name, async (t) => closedFor(t, on, await upgraded(t, on.port), fault));
    }
    t.equal(on.app.earshot.sessions.count, 1);
  },
);

t.test('frames / the limit to the byte, and 64 fragments → are taken', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  const envelope = '{"type":"ping","id":1}';
  await raw.send(frame({ payload: envelope.padEnd(65_536, ' ') }));
  await pongs(raw, 1);
  const parts = [
    fragment(text, envelope),
    repeat(fragment(continuation, ' '), 62),
    fragment(continuation, ' ', true),
  ];
  await raw.send(Buffer.concat(parts));
  await pongs(raw, 2);
  t.pass();
});

t.test('frames / binary → bye, and 1003', async (t) => {
  const on = await scene(t);
  const client = await peer(t, on.wsUrl);
  client.sendRaw(Buffer.from('{"type":"ping","id":1}'));
  t.match(await client.next('bye'), { code: 'bad_envelope', advice: 'never', afterMs: undefined });
  t.match(await client.closed, { code: 1003, reason: 'bad_envelope' });
  await on.metricReaches(1, 'earshot_closes_total', { code: '1003' });
  await undisturbed(t, on);
});

t.test('frames / binary, from a peer that does not answer the close → gone within a second', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  const since = performance.now();
  await raw.send(frame({ opcode: binary, payload: 'a' }));
  t.equal(closeOf(await firstOf(raw, close)).code, 1003);
  await raw.closed;
  t.ok(performance.now() - since < GONE_MS, 'the close was given its time, and no more');
  await undisturbed(t, on);
});

t.test('frames / a frame in segments of one byte → is read as ever', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  raw.socket.setNoDelay(true);
  for (const byte of Buffer.concat([
    PING,
    fragment(text, '{"type":"ping"'),
    fragment(continuation, ',"id":2}', true),
  ])) {
    await raw.send(Buffer.of(byte));
  }
  await pongs(raw, 2);
  await undisturbed(t, on);
});

t.test('frames / a ping between fragments, and lengths longer than need be → are read as ever', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  const parts = [
    fragment(text, '{"type":'),
    frame({ opcode: ping, payload: 'p' }),
    fragment(continuation, '"ping"}', true),
  ];
  await raw.send(Buffer.concat(parts));
  t.equal(String((await firstOf(raw, pong)).payload), 'p');
  await pongs(raw, 1);
  await raw.send(frame({ payload: '{"type":"ping"}', lengthBytes: 8 }));
  await pongs(raw, 2);
  await undisturbed(t, on);
});

t.test('frames / pongs that nobody asked for → are taken', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  await raw.send(Buffer.concat([repeat(frame({ opcode: pong, payload: 'p' }), 1000), PING]));
  await pongs(raw, 1);
  await undisturbed(t, on);
});

t.test('frames / data after the close → is not carried out', async (t) => {
  const on = await scene(t);
  on.bystander.send({ type: 'subscribe', id: 100, channel: 'a' });
  await on.bystander.next('subscribed');
  const raw = await upgraded(t, on.port);
  const publish = frame({ payload: '{"type":"publish","id":1,"channel":"a","data":1}' });
  await raw.send(Buffer.concat([closeFrame(1000, 'done'), publish, repeat(publish, 100)]));
  t.strictSame(closeOf(await firstOf(raw, close)), { code: 1000, reason: 'done' });
  await raw.closed;
  await undisturbed(t, on);
  t.match(await on.bystander.call({ type: 'history', channel: 'a' }), { messages: [] });
});

t.test('frames / every close code that a peer may send → is answered by the same', async (t) => {
  const on = await scene(t);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 3000, 4999]) {
    const raw = await upgraded(t, on.port);
    await raw.send(closeFrame(code));
    t.equal(closeOf(await firstOf(raw, close)).code, code);
    await raw.closed;
  }
  const raw = await upgraded(t, on.port);
  await raw.send(closeFrame());
  t.equal(closeOf(await firstOf(raw, close)).code, 1005);
  await raw.closed;
  await on.metricReaches(2, 'earshot_closes_total', { code: 'other' });
  t.equal(await on.metric('earshot_closes_total', { code: '3000' }), 0, 'a peer does not make labels');
  await undisturbed(t, on);
});

t.test('frames / the line is cut without a close → the session is gone', async (t) => {
  const on = await scene(t);
  const reset = await upgraded(t, on.port);
  reset.socket.resetAndDestroy();
  const ended = await upgraded(t, on.port);
  ended.socket.end();
  await on.metricReaches(2, 'earshot_closes_total', { code: '1006' });
  t.equal(on.app.earshot.sessions.count, 1);
  await undisturbed(t, on);
});

t.test('frames / 5,000 pings, and no pong is read → the peer is cut', async (t) => {
  const on = await scene(t);
  const raw = await upgraded(t, on.port);
  raw.socket.pause();
  raw.socket.write(repeat(frame({ opcode: ping, payload: Buffer.alloc(125) }), 5000));
  await on.metricReaches(1, 'earshot_closes_total', { code: '1006' });
  raw.socket.resume();
  await raw.closed;
  t.equal(on.app.earshot.sessions.count, 1);
  await undisturbed(t, on);
});

t.test('deflate / a bomb of 10 MB in a frame of 10 KB → 1009', async (t) => {
  const on = await scene(t, { perMessageDeflate: true });
  const raw = await upgraded(t, on.port, {
    headers: { 'sec-websocket-extensions': 'permessage-deflate; client_no_context_takeover' },
  });
  const bytes = frame({ rsv: 4, payload: deflateRawSync(Buffer.alloc(10 * 1024 * 1024, ' ')) });
  t.ok(bytes.length < 64 * 1024);
  await closedFor(t, on, raw, { bytes, code: 1009, error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' });
});

t.test('deflate / garbage → 1007', async (t) => {
  const on = await scene(t, { perMessageDeflate: true });
  const headers = { 'sec-websocket-extensions': 'permessage-deflate' };
  const raw = await upgraded(t, on.port, { headers });
  const bytes = frame({ rsv: 4, payload: Buffer.alloc(100, 0xff) });
  await closedFor(t, on, raw, { bytes, code: 1007, error: 'Z_DATA_ERROR' });
});

/** Waits until so many pongs of ours have come. */
async function pongs(raw: RawSocket, count: number): Promise<void> {
  await raw.readUntil((bytes) => {
    const answers = parseFrames(bytes).frames.filter(({ payload }) =>
      String(payload).startsWith('{"type":"pong"'),
    );
    return answers.length >= count;
  });
}
