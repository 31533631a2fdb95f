import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import { decodeCommand } from '../../src/protocol/decode.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import type { Scene } from './scene.js';
import { scene, undisturbed } from './scene.js';

/** Commands that come as fast as the machine makes them. */
const FAST = { commandsPerSecond: 1e9, commandBurst: 1_000_000 };

async function client(t: Test, on: Scene): Promise<Peer> {
  const made = await peer(t, on.wsUrl);
  await made.next('welcome');
  return made;
}

t.test('welcome / on every connection → first, with all that it says', async (t) => {
  const { wsUrl, bystander } = await scene(t, { pingIntervalMs: 12_345, limits: { maxSubscriptions: 7 } });
  const first = await peer(t, wsUrl);
  const welcome = await first.any();
  t.match(welcome, {
    type: 'welcome',
    protocol: 'earshot.v1.json',
    session: /^[0-9a-f-]{36}$/,
    name: /^127\.0\.0\.1:\d+$/,
    user: null,
    pingIntervalMs: 12_345,
    limits: {
      maxFrameBytes: 65_536,
      maxDataDepth: 64,
      maxSubscriptions: 7,
      commandsPerSecond: 100,
      commandBurst: 200,
      historyPage: 1000,
    },
  });
  const other = await peer(t, wsUrl);
  t.not('session' in welcome && welcome.session, (await other.next('welcome')).session);
  t.strictSame(await bystander.fence(), []);
});

t.test('commands / each of them → its one reply, under its id', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  t.match(await a.call({ type: 'subscribe', channel: 'room' }), {
    type: 'subscribed',
    channel: 'room',
    resume: 'none',
    members: undefined,
  });
  const published = await a.call({ type: 'publish', channel: 'room', data: { n: 1 } });
  t.match(published, { type: 'published', channel: 'room', offset: /^[^,&=?/]+$/, duplicate: false });
  const message = await a.next('message');
  t.match(message, { channel: 'room', from: /^127\./, data: { n: 1 } });
  t.ok(Math.abs(message.at - Date.now()) < 60_000);
  const offset = 'offset' in published ? published.offset : '';
  t.equal(message.offset, offset, 'the position after it, the same for publisher and reader');
  t.match(await a.call({ type: 'history', channel: 'room' }), {
    type: 'history',
    messages: [{ offset, from: message.from, at: message.at, data: { n: 1 } }],
    offset,
    upToDate: true,
  });
  t.match(await a.call({ type: 'presence', channel: 'room' }), {
    type: 'presence',
    members: [{ user: null, name: message.from }],
    count: 1,
  });
  t.match(await a.call({ type: 'unsubscribe', channel: 'room' }), { type: 'unsubscribed', channel: 'room' });
  t.match(await a.call({ type: 'presence', channel: 'room' }), { members: [], count: 0 });
  t.match(await a.call({ type: 'ping' }), { type: 'pong' });
  a.send({ type: 'ping' });
  t.equal((await a.next('pong')).text, '{"type":"pong"}');
  t.match(await a.call({ type: 'authenticate', token: 'x' }), { type: 'error', code: 'unauthenticated' });
  t.strictSame(await a.fence(), [], 'and nothing else');
});

t.test(
  'publish / a producer repeats, skips, is replaced → stored once, out_of_sequence, fenced',
  async (t) => {
    const a = await client(t, await scene(t));
    const publish = (epoch: number, seq: number) =>
      a.call({ type: 'publish', channel: 'p', data: seq, producer: { id: 'me', epoch, seq } });
    const first = await publish(0, 0);
    t.match(first, { type: 'published', duplicate: false });
    t.match(await publish(0, 0), { offset: 'offset' in first && first.offset, duplicate: true });
    t.match(await publish(0, 2), { type: 'error', code: 'out_of_sequence', advice: 'never' });
    t.match(await publish(1, 0), { type: 'published', duplicate: false });
    t.match(await publish(0, 1), { type: 'error', code: 'fenced', advice: 'never' });
    const history = await a.call({ type: 'history', channel: 'p' });
    t.match(history, { messages: [{ data: 0 }, { data: 0 }] });
  },
);

t.test('subscribe / from an offset → subscribed comes first, then what follows it, each once', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  const offsets: string[] = [];
  for (let n = 0; n < 5; n++) {
    const published = await a.call({ type: 'publish', channel: 'c', data: n });
    if (published.type === 'published') offsets.push(published.offset);
  }
  t.strictSame(offsets, [...offsets].sort(), 'offsets sort in log order');
  const ask = async (offset: string, resume: string, data: number[]) => {
    const b = await client(t, on);
    b.send({ type: 'subscribe', id: 1, channel: 'c', offset });
    t.match(await b.any(), { type: 'subscribed', resume });
    for (const each of data) t.match(await b.any(), { type: 'message', data: each });
    t.strictSame(await b.fence(), []);
  };
  await ask('-1', 'none', [0, 1, 2, 3, 4]);
  await ask('now', 'none', []);
  await ask(offsets[2] ?? '', 'complete', [3, 4]);
  await ask(offsets[4] ?? '', 'complete', []);
});

t.test('history / pages → each goes on where the last ended', async (t) => {
  const a = await client(t, await scene(t));
  for (let n = 0; n < 5; n++) await a.call({ type: 'publish', channel: 'h', data: n });
  const seen: unknown[] = [];
  for (let offset = '-1', more = true; more; ) {
    const page = await a.call({ type: 'history', channel: 'h', offset, limit: 2 });
    if (page.type !== 'history') throw new Error(page.text);
    seen.push(page.messages.map(({ data }) => data));
    offset = page.offset;
    more = !page.upToDate;
  }
  t.strictSame(seen, [[0, 1], [2, 3], [4]]);
});

t.test('presence / others come and go → joined and left, with the cause', async (t) => {
  const on = await scene(t);
  const watcher = await client(t, on);
  t.match(await watcher.call({ type: 'subscribe', channel: 'r', presence: true }), {
    members: [{}],
    count: 1,
  });
  const a = await client(t, on);
  await a.call({ type: 'subscribe', channel: 'r' });
  t.match(await watcher.next('joined'), { channel: 'r', member: { user: null, name: /^127/ } });
  await a.call({ type: 'unsubscribe', channel: 'r' });
  t.match(await watcher.next('left'), { channel: 'r', cause: 'unsubscribed' });
  await a.call({ type: 'subscribe', channel: 'r', presence: true });
  await watcher.next('joined');
  a.socket.close();
  t.match(await watcher.next('left'), { cause: 'closed' });
  t.strictSame(await watcher.fence(), []);
});

t.test('resume / from what is no longer kept → lost, then what is kept', async (t) => {
  const on = await scene(t, { retention: { messages: 2 } });
  const a = await client(t, on);
  const first = await a.call({ type: 'publish', channel: 'g', data: 0 });
  for (let n = 1; n < 5; n++) await a.call({ type: 'publish', channel: 'g', data: n });
  const offset = first.type === 'published' ? first.offset : '';
  t.match(await a.call({ type: 'subscribe', channel: 'g', offset }), { resume: 'lost' });
  t.match(await a.next('message'), { data: 3 });
  t.match(await a.next('message'), { data: 4 });
  t.match(await a.call({ type: 'history', channel: 'g', offset }), { type: 'error', code: 'gone' });
});

t.test('pushes / the channel is closed, or deleted → closed, unsubscribed with its code', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  await a.call({ type: 'subscribe', channel: 'x' });
  await a.call({ type: 'subscribe', channel: 'y' });
  const tail = await a.call({ type: 'publish', channel: 'x', data: 1 });
  await on.app.earshot.store.close('x');
  t.match(await a.next('message'), { channel: 'x' });
  t.match(await a.next('closed'), { channel: 'x', offset: tail.type === 'published' && tail.offset });
  t.match(await a.call({ type: 'publish', channel: 'x', data: 2 }), { code: 'closed', advice: 'never' });
  await on.app.earshot.store.delete('y');
  t.match(await a.next('unsubscribed'), { channel: 'y', code: 'gone' });
});

t.test('sessions / ended by the server → bye, 4403', async (t) => {
  const on = await scene(t);
  const a = await peer(t, on.wsUrl);
  const { session } = await a.next('welcome');
  t.ok(on.app.earshot.sessions.end(session));
  t.match(await a.next('bye'), { code: 'forbidden', advice: 'never' });
  t.match(await a.closed, { code: 4403, reason: 'forbidden' });
  t.notOk(on.app.earshot.sessions.end(session));
  await undisturbed(t, on);
});

const BAD: Record<string, { readonly text: string; readonly id?: number; readonly details?: RegExp }> = {
  'no JSON': { text: 'hello' },
  nothing: { text: '' },
  spaces: { text: '  ' },
  'a BOM': { text: '\ufeff{"type":"ping","id":1}' },
  'a NUL': { text: '\0' },
  'half an envelope': { text: '{"type":"ping","id":1' },
  'two envelopes': { text: '{"type":"ping","id":1}{"type":"ping","id":2}' },
  'an envelope a line': { text: '{"type":"ping","id":1}\n{"type":"ping","id":2}' },
  'a list': { text: '[{"type":"ping","id":1}]' },
  'a string': { text: '"ping"' },
  'a number': { text: '1' },
  null: { text: 'null' },
  'no type': { text: '{"id":7}', id: 7 },
  'a type that is none': { text: '{"type":"shout","id":7}', id: 7 },
  'a type of an object': { text: '{"type":"__proto__","id":7}', id: 7 },
  'the type of a reply': { text: '{"type":"published","id":7,"channel":"a","offset":"1"}', id: 7 },
  'an unknown key': { text: '{"type":"ping","id":7,"extra":1}', id: 7, details: /extra/ },
  'a __proto__ beside the data': {
    text: '{"type":"publish","id":7,"channel":"a","data":1,"__proto__":{"x":1}}',
    id: 7,
    details: /__proto__/,
  },
  'no id': { text: '{"type":"presence","channel":"a"}', details: /^id/ },
  'id 0': { text: '{"type":"presence","channel":"a","id":0}', details: /^id/ },
  'id -1': { text: '{"type":"presence","channel":"a","id":-1}', details: /^id/ },
  'id 1.5': { text: '{"type":"presence","channel":"a","id":1.5}', details: /^id/ },
  'id "1"': { text: '{"type":"presence","channel":"a","id":"1"}', details: /^id/ },
  'id 2^53': { text: '{"type":"presence","channel":"a","id":9007199254740992}', details: /^id/ },
  'id 1e400': { text: '{"type":"presence","channel":"a","id":1e400}', details: /^id/ },
  'id null': { text: '{"type":"ping","id":null}', details: /^id/ },
  'id []': { text: '{"type":"ping","id":[1]}', details: /^id/ },
  'no channel': { text: '{"type":"subscribe","id":7}', id: 7, details: /^channel/ },
  'no data': { text: '{"type":"publish","id":7,"channel":"a"}', id: 7, details: /^data/ },
  'an offset that is a number': {
    text: '{"type":"subscribe","id":7,"channel":"a","offset":1}',
    id: 7,
    details: /^offset/,
  },
  'limit 1001': { text: '{"type":"history","id":7,"channel":"a","limit":1001}', id: 7, details: /^limit/ },
  'limit 0': { text: '{"type":"history","id":7,"channel":"a","limit":0}', id: 7, details: /^limit/ },
  'a producer without epoch': {
    text: '{"type":"publish","id":7,"channel":"a","data":1,"producer":{"id":"p","seq":0}}',
    id: 7,
    details: /^producer\.epoch/,
  },
  'an empty token': { text: '{"type":"authenticate","id":7,"token":""}', id: 7, details: /^token/ },
};

t.test('bad envelope / of every kind → an error that names the fault; the session goes on', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  for (const [name, { text, id, details }] of Object.entries(BAD)) {
    const before = await on.metric('earshot_faults_total', { code: 'bad_envelope' });
    a.sendRaw(text);
    const error = await a.next('error');
    t.match(error, { code: 'bad_envelope', advice: 'never', message: /./ }, name);
    t.equal(error.id, id, `${name}: the id, where one can be read`);
    if (details !== undefined) t.match(error.details?.[0], details, name);
    t.equal(await on.metric('earshot_faults_total', { code: 'bad_envelope' }), before + 1);
    t.strictSame(await a.fence(), [], 'one answer, and the session goes on');
  }
  await undisturbed(t, on);
});

t.test('bad envelope / 100,000 keys → an error of bounded size', async (t) => {
  const on = await scene(t, { limits: { maxFrameBytes: 4_000_000 } });
  const a = await client(t, on);
  const keys = Array.from({ length: 100_000 }, (_, at) => `"k${at}":${at}`).join(',');
  a.sendRaw(`{"type":"ping","id":7,${keys}}`);
  const error = await a.next('error');
  t.match(error, { id: 7, code: 'bad_envelope' });
  t.ok(error.text.length < 2000);
  a.sendRaw(`{"type":"publish","id":8,"channel":"a","data":{${keys}}}`);
  t.match(await a.next('published'), { id: 8 });
  await undisturbed(t, on);
});

t.test('bad envelope / names, offsets, depth → codes of their own, which are no strikes', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  const names = ['', '.', 'a//b', 'a/..', '/a', 'a/', 'ä', 'a b', 'a*', 'a\n', 'a\u0000', '{a}', '#', 'ａ'];
  for (const channel of [...names, 'a'.repeat(201), 'a/a/a/a/a/a/a/a/a']) {
    a.sendRaw(JSON.stringify({ type: 'subscribe', id: 7, channel }));
    t.match(await a.next('error'), { id: 7, code: 'bad_channel', advice: 'never' });
  }
  for (const channel of [
    '__proto__',
    'constructor/prototype',
    'a'.repeat(200),
    'a/b/c/d/e/f/g/h',
    '_.:@~-/...',
  ]) {
    t.match(await a.call({ type: 'publish', channel, data: 1 }), { type: 'published', channel });
  }
  for (const offset of ['', '0', '-2', 'NOW', '1,2', 'a'.repeat(1000), '00000000000_00000000000000x0']) {
    t.match(await a.call({ type: 'subscribe', channel: 'a', offset }), {
      code: 'bad_offset',
      advice: 'never',
    });
  }
  t.strictSame(await a.fence(), []);
  await undisturbed(t, on);
});

t.test('data / 64 levels → taken; 65, and 100,000 → bad_data', async (t) => {
  const on = await scene(t, { limits: { maxFrameBytes: 1_000_000 } });
  const a = await client(t, on);
  const nested = (levels: number, id: number) =>
    `{"type":"publish","id":${id},"channel":"a","data":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  a.sendRaw(nested(64, 1));
  t.match(await a.next('published'), { id: 1 });
  for (const levels of [65, 2000, 5000, 100_000]) {
    a.sendRaw(nested(levels, 2));
    t.match(await a.next('error'), { id: 2, code: 'bad_data', advice: 'never' }, `${levels} levels`);
  }
  a.sendRaw('['.repeat(500_000));
  t.match(await a.next('error'), { code: 'bad_data' });
  await undisturbed(t, on);
});

const DATA = [
  'null',
  'true',
  '""',
  '-0',
  '1e400',
  '-1e400',
  '1E-400',
  '9007199254740993',
  '123456789012345678901234567890.000',
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  '{"a":1,"a":2}',
  '{ "b" : [ 1 ,\t2 ] , "a" : "\\u0041\\/\\ud83d\\ude00" }',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\u2028\u2029\u007f😀"',
  '[[],{},"]}\\"{["]',
  '{"data":{"data":1},"id":5}',
];

t.test('data / whatever JSON has → arrives byte for byte, live and from history', async (t) => {
  const on = await scene(t);
  const [a, b] = [await client(t, on), await client(t, on)];
  await b.call({ type: 'subscribe', channel: 'd' });
  for (const [at, data] of DATA.entries()) {
    a.sendRaw(`{"data" : \n ${data} \t,"id":9,"channel":"d","type":"publish"}`);
    t.match(await a.next('published'), { id: 9 }, `data ${at}`);
    const { text } = await b.next('message');
    t.equal(text.slice(text.indexOf('"data":') + 7, -1), data);
  }
  const { text } = await b.call({ type: 'history', channel: 'd' });
  t.ok(DATA.every((data) => text.includes(`"data":${data}}`)));
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  await undisturbed(t, on);
});

t.test('bad envelope / ten in a row → bye, 4400; a good one in between forgives', async (t) => {
  const on = await scene(t);
  const a = await client(t, on);
  for (let n = 0; n < 9; n++) a.sendRaw('x');
  await a.call({ type: 'ping' });
  for (let n = 0; n < 9; n++) a.sendRaw('x');
  const before = await a.fence();
  t.strictSame(
    before.map(({ type }) => type),
    Array(18).fill('error'),
  );
  for (let n = 0; n < 20; n++) a.sendRaw('x');
  for (let n = 0; n < 10; n++) t.match(await a.any(), { type: 'error', code: 'bad_envelope' });
  t.match(await a.any(), { type: 'bye', code: 'bad_envelope', advice: 'never', afterMs: undefined });
  t.match(await a.closed, { code: 4400, reason: 'bad_envelope' });
  await on.metricReaches(1, 'earshot_closes_total', { code: '4400' });
  await undisturbed(t, on);
});

t.test('limits / subscriptions above the bound → too_many, and ten times 4413', async (t) => {
  const on = await scene(t, { limits: { maxSubscriptions: 2 } });
  const a = await client(t, on);
  await a.call({ type: 'subscribe', channel: 'a' });
  t.match(await a.call({ type: 'subscribe', channel: 'a' }), { code: 'conflict', advice: 'never' });
  await a.call({ type: 'subscribe', channel: 'b' });
  for (let n = 1; n <= 9; n++) {
    t.match(await a.call({ type: 'subscribe', channel: `c${n}` }), { code: 'too_many' });
  }
  a.send({ type: 'subscribe', id: 1000, channel: 'd' });
  t.match(await a.next('bye'), { code: 'too_many', advice: 'never' });
  t.match(await a.closed, { code: 4413 });
  await undisturbed(t, on);
});

t.test('limits / commands above the rate → rate_limited, and 100 in a row 4429', async (t) => {
  const on = await scene(t, { limits: { commandsPerSecond: 0.001, commandBurst: 3 } });
  const a = await client(t, on);
  for (let n = 0; n < 3; n++) t.match(await a.call({ type: 'ping' }), { type: 'pong' });
  t.match(await a.call({ type: 'ping' }), { code: 'rate_limited', advice: 'retry' });
  for (let n = 0; n < 99; n++) a.send({ type: 'ping', id: 1000 + n });
  const bye = await a.next('bye');
  t.match(bye, { code: 'rate_limited', advice: 'retry' });
  t.equal(bye.afterMs?.length, 2);
  t.match(await a.closed, { code: 4429 });
});

t.test(
  'random text / thousands of frames → each is answered, or the session is closed in words',
  async (t) => {
    const on = await scene(t, { limits: FAST });
    const line = await linePeer(t, on);
    const json = fc.json({ maxDepth: 4 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), json), async (text) => line.isAnswered(text)),
      { numRuns: 2000 },
    );
    await undisturbed(t, on);
  },
);

const GOOD = [
  '{"type":"subscribe","id":1,"channel":"room/1","offset":"-1","presence":true}',
  '{"type":"unsubscribe","id":2,"channel":"room/1"}',
  '{"type":"publish","id":3,"channel":"room/1","data":{"a":[1,2,"x"]}}',
  '{"type":"publish","id":4,"channel":"room/1","data":1,"producer":{"id":"p","epoch":0,"seq":0}}',
  '{"type":"history","id":5,"channel":"room/1","offset":"-1","limit":10}',
  '{"type":"presence","id":6,"channel":"room/1"}',
  '{"type":"authenticate","id":7,"token":"t"}',
  '{"type":"ping","id":8}',
];
const SCRAPS = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '\\',
  '0',
  '-',
  'e9',
  'null',
  '\u0000',
  '\\u',
  '__proto__',
  'ä',
  '😀',
  ' ',
];

t.test(
  'mutated envelopes / thousands of them → each is answered, or the session is closed in words',
  async (t) => {
    const on = await scene(t, { limits: FAST });
    const line = await linePeer(t, on);
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(5),
      put: fc.constantFrom('', ...SCRAPS),
    });
    const mutated = fc
      .tuple(fc.constantFrom(...GOOD), fc.array(edit, { minLength: 1, maxLength: 4 }))
      .map(([good, edits]) =>
        edits.reduce((text, { at, cut, put }) => {
          const index = Math.floor(at * text.length);
          return text.slice(0, index) + put + text.slice(index + cut);
        }, good),
      );
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => line.isAnswered(text)),
      { numRuns: 3000 },
    );
    await undisturbed(t, on);
  },
);

/** A client that comes back when it was closed for its faults. */
async function linePeer(t: Test, on: Scene) {
  let line = await client(t, on);
  /** True where a text was answered as it deserves: what is no command by an error, what is one by anything. */
  const isAnswered = async (text: string): Promise<boolean> => {
    const decoded = decodeCommand(Buffer.from(text).toString(), 64); // as UTF-8 carries it
    line.sendRaw(text);
    for (;;) {
      const answer = await line.any();
      if (answer.type === 'bye') {
        const { code } = await line.closed;
        line = await client(t, on);
        return code === 4400;
      }
      if (!decoded.ok && answer.type === 'error') return answer.code === decoded.fault.code;
      if (decoded.ok && 'id' in answer && answer.id === decoded.command.id) return true;
      if (decoded.ok && answer.type === 'pong') return decoded.command.type === 'ping';
      if (!['message', 'joined', 'left'].includes(answer.type)) return false;
    }
  };
  return { isAnswered };
}
