import { once } from 'node:events';
import type { Socket } from 'node:net';
import { constants, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { textFrames } from '../../src/transport/websocket/frame.js';
import type { RunningApp } from '../support/app.js';
import { appOn } from '../support/app.js';
import { peer, plainPeer } from '../support/peer.js';
import type { Frame, RawSocket } from '../support/raw-socket.js';
import { closeOf, frame, handshake, OPCODES, parseFrames, rawConnect } from '../support/raw-socket.js';

interface RawInit {
  readonly protocols?: readonly string[];
  readonly extensions?: string;
}

/** A WebSocket on a raw socket, which does nothing by itself. */
async function rawPeer(t: Test, { port }: RunningApp, init: RawInit = {}) {
  const raw = await rawConnect(t, port);
  const { protocols = ['earshot.v1.json'], extensions } = init;
  await raw.send(handshake({ path: '/ws', protocols, headers: { 'sec-websocket-extensions': extensions } }));
  const response = await raw.response();
  t.equal(response.status, 101);
  return { raw, extensions: response.headers['sec-websocket-extensions'] };
}

const framesOf = (raw: RawSocket) => parseFrames(raw.received()).frames;
const texts = (frames: readonly Frame[]) =>
  frames.filter(({ opcode }) => opcode === OPCODES.text).map(({ payload }) => String(payload));
const send = (raw: RawSocket, envelope: object) => raw.send(frame({ payload: JSON.stringify(envelope) }));

/** Waits for a text frame that says this. */
function said(raw: RawSocket, what: string): Promise<Frame> {
  return raw.readUntil((bytes) => parseFrames(bytes).frames.find(({ payload }) => payload.includes(what)));
}

/** Texts of every length at which a header changes, of characters of one byte and of more. */
const frameText = fc
  .tuple(
    fc.constantFrom('a', 'é', '€', '😀', '\ud800'),
    fc.oneof(
      { weight: 8, arbitrary: fc.nat(140) },
      fc.constantFrom(4095, 4097, 21_845, 32_767, 32_768, 65_535, 65_536),
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  .map(([character, count, rest]) => character.repeat(count) + rest);

t.test('frames / any texts → one frame each, in order, of nothing but their UTF-8', async (t) => {
  const isSo = (given: readonly string[]) => {
    const bytes = textFrames(given);
    const { frames } = parseFrames(bytes);
    const inFrames = frames.map(({ payload }) => String(payload));
    const size = frames.reduce((sum, { payload }) => sum + payload.length + headerOf(payload.length), 0);
    return (
      JSON.stringify(inFrames) === JSON.stringify(given.map((text) => String(Buffer.from(text)))) &&
      size === bytes.length
    );
  };
  const headerOf = (length: number) => (length < 126 ? 2 : length < 65_536 ? 4 : 10);
  fc.assert(fc.property(fc.array(frameText, { maxLength: 6 }), isSo), { numRuns: 500 });
  t.pass('500 batches');
});

/** Counts what leaves a socket of the server by itself. */
function countWrites(socket: Socket | undefined): () => number {
  let writes = 0;
  for (const name of ['_write', '_writev'] as const) {
    const write = socket?.[name] as (...args: unknown[]) => void;
    Object.assign(socket ?? {}, {
      [name]: (...args: unknown[]) => {
        writes++;
        write.apply(socket, args);
      },
    });
  }
  return () => writes;
}

t.test('writes / a handshake → its answer and the welcome in one', async (t) => {
  const on = await appOn(t);
  const accepted = once(on.app.server, 'connection');
  const raw = await rawConnect(t, on.port);
  const [socket]: Socket[] = await accepted;
  const writes = countWrites(socket);
  await raw.send(handshake({ path: '/ws', protocols: ['earshot.v1.json'] }));
  await raw.response();
  await said(raw, '"welcome"');
  t.equal(writes(), 1);
});

t.test('writes / several to one peer in a turn → the first at once, the others together', async (t) => {
  const on = await appOn(t);
  const accepted = once(on.app.server, 'connection');
  const { raw } = await rawPeer(t, on);
  const [socket]: Socket[] = await accepted;
  await said(raw, '"welcome"');
  const writes = countWrites(socket);
  const publish = (id: number) =>
    frame({ payload: JSON.stringify({ type: 'publish', id, channel: 'a', data: id }) });
  const ids = Array.from({ length: 10 }, (_, at) => at + 1);
  await raw.send(Buffer.concat(ids.map(publish)));
  await said(raw, '"published","id":10,');
  const answered = texts(framesOf(raw)).slice(1);
  t.same(
    answered.map((text) => JSON.parse(text).id),
    ids,
    'in order',
  );
  t.equal(writes(), 2);
});

t.test('liveness / a peer that never answers → is pinged, told, closed with 4408 and gone', async (t) => {
  const on = await appOn(t, { pingIntervalMs: 200, pongTimeoutMs: 200 });
  const watcher = await peer(t, on.wsUrl);
  await watcher.call({ type: 'subscribe', channel: 'a', presence: true });
  const { raw } = await rawPeer(t, on);
  await send(raw, { type: 'subscribe', id: 1, channel: 'a' });
  await watcher.next('joined');
  await raw.closed;
  const frames = framesOf(raw);
  t.ok(frames.some(({ opcode }) => opcode === OPCODES.ping));
  const bye = texts(frames)
    .map((text) => JSON.parse(text))
    .find(({ type }) => type === 'bye');
  t.match(bye, { code: 'unavailable', advice: 'retry', afterMs: [0, 1000] });
  const last = frames.at(-1);
  t.equal(last && closeOf(last).code, 4408);
  t.match(await watcher.next('left'), { cause: 'timeout' });
  t.match(await watcher.call({ type: 'ping' }), { type: 'pong' }, 'who answers, stays');
  t.equal(on.app.earshot.sessions.count, 1);
});

t.test('liveness / any byte is life, be it half a frame → the peer stays', async (t) => {
  const on = await appOn(t, { pingIntervalMs: 40, pongTimeoutMs: 4000 });
  const { raw } = await rawPeer(t, on);
  const slowly = frame({ payload: '{"type":"ping","id":1}' });
  const pings = (bytes: Buffer) => parseFrames(bytes).frames.filter(({ opcode }) => opcode === OPCODES.ping);
  for (const [at, byte] of slowly.entries()) {
    await raw.readUntil((bytes) => pings(bytes).length > at);
    await raw.send(Buffer.of(byte));
  }
  await said(raw, '{"type":"pong","id":1}');
  t.equal(on.app.earshot.sessions.count, 1);
});

t.test(
  'liveness / a peer that reads nothing of what is queued → is cut after the stall timeout',
  async (t) => {
    const on = await appOn(t, { stallTimeoutMs: 300, pingIntervalMs: 200 });
    const { raw } = await rawPeer(t, on);
    await send(raw, { type: 'subscribe', id: 1, channel: 'a' });
    await said(raw, 'subscribed');
    raw.socket.pause();
    const gone = on.metricReaches(1, 'earshot_closes_total', { code: '4408' });
    for (let n = 0; n < 200; n++) await on.app.earshot.publish('a', 'x'.repeat(100_000));
    await gone;
    t.equal(on.app.earshot.sessions.count, 0);
  },
);

const LARGE = 'large '.repeat(1000);
const DEFLATE = 'permessage-deflate; client_max_window_bits';

t.test(
  'deflate / agreed → large messages of the named channels are compressed, readable without each other',
  async (t) => {
    const on = await appOn(t, { perMessageDeflate: true, compress: ['zip/**'] });
    const [one, two, bare] = [
      await rawPeer(t, on, { extensions: DEFLATE }),
      await rawPeer(t, on, { extensions: DEFLATE }),
      await rawPeer(t, on),
    ];
    t.match(one.extensions, /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/);
    t.equal(bare.extensions, undefined);
    for (const { raw } of [one, two, bare]) {
      await send(raw, { type: 'subscribe', id: 1, channel: 'zip/a' });
      await send(raw, { type: 'subscribe', id: 2, channel: 'bare' });
      await said(raw, '"id":2');
      raw.take();
    }
    await on.app.earshot.publish('zip/a', LARGE);
    await on.app.earshot.publish('zip/a', { LARGE });
    await on.app.earshot.publish('zip/a', 'small');
    await on.app.earshot.publish('bare', LARGE);
    const fourOf = ({ raw }: { raw: RawSocket }) =>
      raw.readUntil((bytes) => {
        const { frames } = parseFrames(bytes);
        return frames.length === 4 && frames;
      });
    const [fromOne, fromTwo, fromBare] = [await fourOf(one), await fourOf(two), await fourOf(bare)];
    t.strictSame(fromOne.map(({ rsv }) => rsv).sort(), [0, 0, 4, 4], 'RSV1 on the large ones of zip/a');
    t.strictSame(
      fromBare.map(({ rsv }) => rsv),
      [0, 0, 0, 0],
    );
    t.strictSame(fromOne, fromTwo, 'the same bytes for every reader');
    const compressed = fromOne.filter(({ rsv }) => rsv === 4);
    const read = compressed.reverse().map(({ payload }) => {
      t.ok(payload.length < 500);
      const whole = Buffer.concat([payload, Buffer.of(0, 0, 0xff, 0xff)]);
      return String(inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }));
    });
    const all = [...read, ...fromOne.filter(({ rsv }) => rsv === 0).map(({ payload }) => String(payload))];
    t.strictSame(all.sort(), texts(fromBare).sort(), 'they say the same');
  },
);

t.test('deflate / ws as the client, with it and without → both read and write all', async (t) => {
  const on = await appOn(t, { perMessageDeflate: { threshold: 0, level: 9 } });
  const deflating = { client: { perMessageDeflate: { threshold: 0 } } };
  const [zip, bare] = [await peer(t, on.wsUrl, deflating), await peer(t, on.wsUrl)];
  t.match(zip.socket.extensions, 'permessage-deflate');
  t.equal(bare.socket.extensions, '');
  for (const each of [zip, bare]) await each.call({ type: 'subscribe', channel: 'a' });
  for (const [from, data] of [
    [zip, LARGE],
    [bare, LARGE],
    [zip, 'ü'],
    [bare, { a: [] }],
  ] as const) {
    await from.call({ type: 'publish', channel: 'a', data });
    for (const each of [zip, bare]) t.strictSame((await each.next('message')).data, data);
  }
  const late = await peer(t, on.wsUrl, deflating);
  await late.call({ type: 'subscribe', channel: 'a', offset: '-1' });
  for (let n = 0; n < 4; n++) await late.next('message');
  t.match(await late.call({ type: 'history', channel: 'a' }), { type: 'history', upToDate: true });
});

t.test('deflate / a window smaller than ours is asked for, or it is off → not agreed', async (t) => {
  const on = await appOn(t, { perMessageDeflate: true });
  const { extensions } = await rawPeer(t, on, {
    extensions: 'permessage-deflate; server_max_window_bits=10, permessage-deflate',
  });
  t.match(extensions, /^permessage-deflate; server_no_context_takeover/, 'the second offer is taken');
  const off = await appOn(t);
  t.equal((await rawPeer(t, off, { extensions: DEFLATE })).extensions, undefined);
});

t.test('plain / text in, lines out → they talk with everyone else', async (t) => {
  const on = await appOn(t);
  const { raw } = await rawPeer(t, on, { protocols: [] });
  const name = `127.0.0.1:${raw.socket.localPort}`;
  await said(raw, `Welcome ${name}`);
  const envelopes = await peer(t, on.wsUrl);
  await envelopes.call({ type: 'subscribe', channel: 'lobby' });
  const { name: theirName } = await envelopes.next('welcome');
  const plain = await plainPeer(t, on.wsUrl);
  t.match(await plain.next(), /^Welcome 127\.0\.0\.1:\d+$/);

  for (const text of ['hello', '', '"quoted"', '{"type":"ping","id":1}', 'zwei\nZeilen', 'ü😀', '\0']) {
    await raw.send(frame({ payload: text }));
    t.match(await envelopes.next('message'), { channel: 'lobby', from: name, data: text });
    t.equal(await plain.next(), `${name} -> ${text}`);
    await said(raw, `${name} -> ${text}`);
  }
  for (const [data, line] of [
    ['text', 'text'],
    [{ a: [1] }, '{"a":[1]}'],
    [null, 'null'],
    [7, '7'],
  ] as const) {
    await envelopes.call({ type: 'publish', channel: 'lobby', data });
    t.equal(await plain.next(), `${theirName} -> ${line}`);
  }
  t.strictSame(
    texts(framesOf(raw)).slice(0, 2),
    [`Welcome ${name}`, `${name} -> hello`],
    'nothing but lines',
  );
});

t.test('plain / what may not be → told in a line, or closed', async (t) => {
  const on = await appOn(t, { limits: { commandsPerSecond: 0.001, commandBurst: 1 } });
  const fast = await plainPeer(t, on.wsUrl);
  await fast.next();
  fast.send('one');
  fast.send('two');
  const lines = [await fast.next(), await fast.next()];
  t.ok(lines.some((line) => line.startsWith('Error rate_limited: ')));
  await on.app.earshot.store.close('lobby');
  const late = await plainPeer(t, on.wsUrl);
  t.match(await late.next(), /^Welcome/);
  late.send('into the void');
  t.match(await late.next(), /^Error closed: /);
  late.socket.send(Buffer.of(1));
  t.match(await late.closed, { code: 1003 });
});

t.test('plain / a channel and names of its own → as configured', async (t) => {
  const on = await appOn(t, { plainChannel: 'chat/main', anonymousNames: 'random' });
  const plain = await plainPeer(t, on.wsUrl);
  t.match(await plain.next(), /^Welcome guest-[0-9a-f]{8}$/);
  plain.send('hello');
  t.match(await plain.next(), /^guest-[0-9a-f]{8} -> hello$/);
  const reader = await peer(t, on.wsUrl);
  t.match(await reader.call({ type: 'history', channel: 'chat/main' }), { messages: [{ data: 'hello' }] });
});

const MESSAGES = 3000;
const PADDING = 'x'.repeat(8000);

/** A subscriber that has stopped reading, and 24 MB of messages that were published since. */
async function deafReader(t: Test, retention: EarshotOptions['retention']) {
  const on = await appOn(t, { retention, stallTimeoutMs: 60_000 });
  const accepted = once(on.app.server, 'connection');
  const { raw } = await rawPeer(t, on);
  const [socket]: Socket[] = await accepted;
  if (socket === undefined) throw new Error('no connection');
  await send(raw, { type: 'subscribe', id: 1, channel: 'a' });
  await said(raw, 'subscribed');
  raw.socket.pause();
  let mostQueued = 0;
  for (let n = 1; n <= MESSAGES; n++) {
    await on.app.earshot.publish('a', { n, PADDING });
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    mostQueued = Math.max(mostQueued, socket.writableLength);
  }
  return { on, raw, mostQueued };
}

/** Reads on to the last message. What came: a number for a message, `gap` for a gap. */
async function readOn(raw: RawSocket): Promise<(number | 'gap')[]> {
  const came: (number | 'gap')[] = [];
  let rest = Buffer.alloc(0);
  raw.socket.resume();
  while (came.at(-1) !== MESSAGES) {
    await raw.readUntil((bytes) => bytes.length > 0);
    const parsed = parseFrames(Buffer.concat([rest, raw.take()]));
    rest = Buffer.from(parsed.rest);
    for (const text of texts(parsed.frames)) {
      const envelope: { type: string; data?: { n: number } } = JSON.parse(text);
      if (envelope.type === 'message') came.push(envelope.data?.n ?? -1);
      if (envelope.type === 'gap') came.push('gap');
    }
  }
  return came;
}

t.test(
  'slow reader / it stops reading → little is queued for it; it reads on → all came, in order',
  async (t) => {
    const { on, raw, mostQueued } = await deafReader(t, { messages: 10_000, bytes: 1e9 });
    t.ok(mostQueued < 768 * 1024, `${mostQueued} bytes were queued at most`);
    t.equal(await on.metric('earshot_fell_behind_total'), 1);
    const others = await peer(t, on.wsUrl);
    t.match(await others.call({ type: 'ping' }), { type: 'pong' });
    const came = await readOn(raw);
    t.strictSame(
      came,
      Array.from({ length: MESSAGES }, (_, at) => at + 1),
    );
    await send(raw, { type: 'ping', id: 9 });
    await said(raw, '"id":9');
    await on.app.earshot.publish('a', 'live again');
    await said(raw, 'live again');
    t.equal(await on.metric('earshot_messages_out_total'), MESSAGES + 1, 'each was delivered once');
  },
);

t.test(
  'slow reader / what it has not read is no longer kept → a gap in words, then the rest in order',
  async (t) => {
    const { on, raw } = await deafReader(t, { messages: 100 });
    const came = await readOn(raw);
    t.equal(came[0], 1);
    let last = 0;
    let told = false;
    for (const each of came) {
      if (each === 'gap') told = true;
      else {
        if (each !== last + 1 && !told) t.fail(`${each} came after ${last}, and no gap was told`);
        if (each <= last) t.fail(`${each} came after ${last}`);
        last = each;
        told = false;
      }
    }
    t.ok(came.includes('gap'));
    t.equal(
      await on.metric('earshot_gaps_total', { reason: 'retention' }),
      came.filter((each) => each === 'gap').length,
    );
  },
);
