import t from 'tap';
import type { Message } from '../../src/client/options.js';
import { ERRORS } from '../../src/protocol/codes.js';
import { fakeClient, settle } from '../support/fake-socket.js';

const ann = { session: 'a', user: 'ann', name: 'ann' };
const bob = { session: 'b', user: null, name: 'bob' };

/** A client that is subscribed to `a` at offset 5. */
async function subscribed(options: Parameters<ReturnType<typeof fakeClient>['client']['subscribe']>[1] = {}) {
  const fake = fakeClient();
  const sub = fake.client.subscribe('a', options);
  const told: unknown[] = [];
  const offsets: string[] = [];
  for (const event of ['resumed', 'gap', 'closed', 'state', 'ended'] as const)
    sub.on(event, (value: unknown) => told.push([event, value]));
  const socket = await fake.connect();
  socket.subscribed('a', '5');
  return { ...fake, sub, told, offsets, socket };
}

async function collect(messages: AsyncIterable<Message>): Promise<string[]> {
  const offsets: string[] = [];
  for await (const message of messages) offsets.push(message.offset);
  return offsets;
}

t.test('subscribe / offline → asked when connected, ready when answered', async (t) => {
  const { client, connect } = fakeClient();
  const sub = client.subscribe('a');
  t.equal(sub.state, 'subscribing');
  t.equal(sub.offset, undefined);
  const ready = sub.ready();
  const socket = await connect();
  t.match(socket.last('subscribe'), { channel: 'a', offset: 'now' });
  socket.subscribed('a', '5');
  await ready;
  await sub.ready();
  t.equal(sub.state, 'subscribed');
  t.equal(sub.offset, '5');
});

t.test('resume / not one message came → from the offset of the subscribe', async (t) => {
  const { comeBack, sub, told } = await subscribed();
  const socket = await comeBack();
  t.equal(sub.state, 'subscribing');
  t.equal(socket.last('subscribe').offset, '5');
  socket.subscribed('a', '5', { resume: 'complete' });
  t.same(told, [
    ['state', 'subscribed'],
    ['resumed', { resume: 'none', offset: '5' }],
    ['state', 'subscribing'],
    ['state', 'subscribed'],
    ['resumed', { resume: 'complete', offset: '5' }],
  ]);
});

t.test('resume / after messages → from the last, and none comes twice', async (t) => {
  const { comeBack, sub, socket } = await subscribed();
  const messages: Message[] = [];
  sub.on('message', (message) => messages.push(message));
  socket.message('a', '6', { x: 1 });
  socket.message('a', '6');
  const next = await comeBack();
  t.equal(next.last('subscribe').offset, '6');
  next.message('a', '9');
  next.subscribed('a', '6', { resume: 'complete' });
  for (const offset of ['5', '6', '7', '7']) next.message('a', offset);
  next.message('b', '8');
  t.same(
    messages.map(({ offset }) => offset),
    ['6', '7'],
    'nor does one count that came before the answer',
  );
  t.same(messages[0], { channel: 'a', offset: '6', from: 'ann', at: 1, data: { x: 1 } });
  t.equal(sub.offset, '7');
});

t.test('resume / cut before the first answer → asks for the same again', async (t) => {
  const { client, connect, comeBack } = fakeClient();
  client.subscribe('a', { offset: '-1' });
  await connect();
  const socket = await comeBack();
  t.equal(socket.last('subscribe').offset, '-1');
});

t.test('resume / lost → resumed and gap both say so, and the offset is the new one', async (t) => {
  const { comeBack, sub, told } = await subscribed();
  const messages = collectOffsets(sub);
  const socket = await comeBack();
  told.length = 0;
  socket.subscribed('a', '3', { resume: 'lost' });
  socket.message('a', '4');
  t.same(told, [
    ['state', 'subscribed'],
    ['resumed', { resume: 'lost', offset: '3' }],
    ['gap', { offset: '3', reason: 'retention' }],
  ]);
  t.same(messages, ['4'], 'an offset below the old one is taken');
});

function collectOffsets(sub: { on(event: 'message', listener: (message: Message) => void): unknown }) {
  const offsets: string[] = [];
  sub.on('message', ({ offset }) => offsets.push(offset));
  return offsets;
}

t.test('gap / pushed → told; a reset moves the offset back, retention never does', async (t) => {
  const { sub, socket, told } = await subscribed();
  told.length = 0;
  socket.push({ type: 'gap', channel: 'a', offset: '8', reason: 'retention' });
  t.equal(sub.offset, '8');
  socket.push({ type: 'gap', channel: 'a', offset: '7', reason: 'retention' });
  t.equal(sub.offset, '8');
  socket.push({ type: 'gap', channel: 'a', offset: '2', reason: 'reset' });
  t.equal(sub.offset, '2');
  t.equal(told.length, 3);
});

t.test('subscribe refused / never → ended with the error, others go on', async (t) => {
  const { client, connect } = fakeClient();
  const sub = client.subscribe('a');
  const other = client.subscribe('b');
  const socket = await connect();
  const ready = t.rejects(sub.ready(), { code: 'forbidden' });
  const read = t.rejects(collect(sub), { code: 'forbidden' });
  const { id } = socket.of('subscribe').find(({ channel }) => channel === 'a') ?? { id: 0 };
  socket.refuse(id, 'forbidden', 'never');
  await Promise.all([ready, read]);
  await t.rejects(sub.ready(), { code: 'forbidden' });
  t.equal(sub.state, 'ended');
  t.equal(other.state, 'subscribing');
  t.equal(client.subscribe('a').state, 'subscribing', 'it may be tried anew');
});

t.test('subscribe refused / retry → asked again later, not while offline', async (t) => {
  const { client, clock, connect, comeBack } = fakeClient();
  const sub = client.subscribe('a');
  let socket = await connect();
  socket.refuse(socket.last('subscribe').id, 'rate_limited', 'retry');
  await clock.pass(499);
  t.equal(socket.of('subscribe').length, 1);
  await clock.pass(1);
  t.equal(socket.of('subscribe').length, 2);
  socket.refuse(socket.last('subscribe').id, 'rate_limited', 'retry');
  socket = await comeBack();
  await clock.pass(5000);
  t.equal(socket.of('subscribe').length, 1);
  socket.refuse(socket.last('subscribe').id, 'too_many', 'retry');
  t.equal(sub.state, 'ended', 'above the limit asking again would cost the session');
});

t.test('subscribe / more than the session may have → the newest are refused here', async (t) => {
  const { client, connect } = fakeClient();
  const subs = ['a', 'b', 'c'].map((channel) => client.subscribe(channel));
  const limits = { maxSubscriptions: 2, maxFrameBytes: 100 };
  const socket = await connect({ limits });
  t.same(
    subs.map(({ state }) => state),
    ['subscribing', 'subscribing', 'ended'],
  );
  t.equal(socket.of('subscribe').length, 2);
  const sub = client.subscribe('d');
  const ended = new Promise((resolve) => sub.on('ended', resolve));
  await t.rejects(sub.ready(), { code: 'too_many' });
  t.match(await ended, { code: 'too_many' }, 'its listeners hear of it');
  t.equal(socket.of('subscribe').length, 2);
});

t.test('unsubscribe / while the subscribe is in flight → the answer finds nobody', async (t) => {
  const { client, connect } = fakeClient();
  const sub = client.subscribe('a');
  const messages = collectOffsets(sub);
  const socket = await connect();
  const { id } = socket.last('subscribe');
  const done = sub.unsubscribe();
  t.equal(sub.state, 'ended');
  socket.push({ type: 'subscribed', id, channel: 'a', offset: '5', resume: 'none' });
  socket.message('a', '6');
  const again = client.subscribe('a');
  const others = collectOffsets(again);
  socket.message('a', '7');
  socket.push({ type: 'unsubscribed', id: socket.last('unsubscribe').id, channel: 'a' });
  await done;
  t.same([messages, others], [[], []]);
  t.equal(again.state, 'subscribing');
  socket.subscribed('a', '7');
  socket.message('a', '8');
  t.same(others, ['8']);
});

t.test('unsubscribe / cut, offline or unanswered → does not hang', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  await client.subscribe('offline').unsubscribe();
  const cut = client.subscribe('cut');
  await connect();
  const done = cut.unsubscribe();
  await cut.unsubscribe();
  socket().cut();
  await done;
  client.wake();
  await connect();
  t.same(socket().sent, [], 'what has ended is not resumed');
  const unanswered = t.rejects(client.subscribe('b').unsubscribe(), { code: 'timeout' });
  await clock.pass(10_000);
  await unanswered;
});

t.test('two subscriptions of one channel / → one on the wire, each with its own listeners', async (t) => {
  const { client, sub, socket } = await subscribed();
  const second = client.subscribe('a');
  const third = client.subscribe('a', { offset: '5' });
  t.equal(second.state, 'subscribed');
  t.throws(() => client.subscribe('a', { offset: '-1' }), { code: 'conflict' });
  const [one, two] = [collectOffsets(sub), collectOffsets(second)];
  socket.message('a', '6');
  await second.unsubscribe();
  await third.unsubscribe();
  t.equal(second.state, 'ended');
  socket.message('a', '7');
  t.same([one, two], [['6', '7'], ['6']]);
  t.equal(socket.of('subscribe').length, 1);
  t.equal(socket.of('unsubscribe').length, 0);
  void sub.unsubscribe();
  t.equal(socket.of('unsubscribe').length, 1, 'the last one ends it');
});

t.test(
  'two subscriptions of one channel / the second wants presence → asked anew, at the offset',
  async (t) => {
    const { client, sub, socket } = await subscribed();
    const offsets = collectOffsets(sub);
    const second = client.subscribe('a', { presence: true });
    t.match(
      socket.sent.map(({ type }) => type),
      ['subscribe', 'unsubscribe', 'subscribe'],
    );
    t.match(socket.last('subscribe'), { offset: '5', presence: true });
    socket.message('a', '6');
    socket.subscribed('a', '5', { resume: 'complete', members: [ann], count: 1 });
    socket.message('a', '6');
    t.same(offsets, ['6']);
    t.same(second.members, [ann]);
  },
);

t.test('presence / subscribed, joined, left → members, count and events', async (t) => {
  const { sub, socket, comeBack } = await subscribed({ presence: true });
  const told: unknown[] = [];
  sub.on('joined', (member) => told.push(['joined', member.name]));
  sub.on('left', (member, cause) => told.push(['left', member.name, cause]));
  sub.on('members', (members) => told.push(members.length));
  socket.push({ type: 'joined', channel: 'a', member: ann });
  socket.push({ type: 'joined', channel: 'a', member: bob });
  socket.push({ type: 'joined', channel: 'a', member: bob });
  t.equal(sub.count, 2);
  socket.push({ type: 'left', channel: 'a', member: ann, cause: 'closed' });
  t.same(sub.members, [bob]);
  const again = await comeBack();
  again.subscribed('a', '5', { resume: 'complete', members: [ann], count: 2000 });
  again.push({ type: 'left', channel: 'a', member: bob, cause: 'timeout' });
  t.equal(sub.count, 1999, 'there are more than are listed');
  t.same(told, [
    ['joined', 'ann'],
    1,
    ['joined', 'bob'],
    2,
    ['joined', 'bob'],
    2,
    ['left', 'ann', 'closed'],
    1,
    1,
    ['left', 'bob', 'timeout'],
    1,
  ]);
});

t.test('closed / → told, then ended without an error, and not resumed', async (t) => {
  const { sub, socket, comeBack, told } = await subscribed();
  const offsets = collect(sub);
  told.length = 0;
  socket.message('a', '6');
  socket.push({ type: 'closed', channel: 'a', offset: '6' });
  t.same(told, [
    ['closed', { offset: '6' }],
    ['state', 'ended'],
    ['ended', undefined],
  ]);
  t.same(await offsets, ['6']);
  await t.rejects(sub.ready(), { code: 'ended' });
  t.same((await comeBack()).sent, []);
});

t.test('ended by the server / a passing code → asked again; any other → ended with it', async (t) => {
  for (const [code, { advice }] of Object.entries(ERRORS)) {
    if (code === 'too_many') continue;
    const { sub, socket, clock } = await subscribed();
    socket.push({ type: 'unsubscribed', channel: 'a', code });
    await clock.pass(500);
    t.equal(sub.state, advice === 'retry' ? 'subscribing' : 'ended', code);
    t.equal(socket.of('subscribe').length, advice === 'retry' ? 2 : 1);
  }
});

t.test('for await / messages, also early ones → each once; break ends only the reading', async (t) => {
  const { sub, socket } = await subscribed();
  socket.message('a', '6');
  socket.message('a', '7');
  const offsets: string[] = [];
  for await (const { offset } of sub) {
    offsets.push(offset);
    if (offset === '8') break;
    if (offset === '7') setImmediate(() => socket.message('a', '8'));
  }
  t.same(offsets, ['6', '7', '8']);
  t.equal(sub.state, 'subscribed');
  const rest = collect(sub);
  socket.message('a', '9');
  await settle();
  void sub.unsubscribe();
  t.same(await rest, ['9']);
  t.same(await collect(sub), [], 'after the end there is nothing');
});

t.test('for await / the reader is too slow → what is held, then overflow', async (t) => {
  const { sub, socket } = await subscribed({ bufferMessages: 2 });
  for (const offset of ['6', '7', '8', '9']) socket.message('a', offset);
  const offsets: string[] = [];
  await t.rejects(
    (async () => {
      for await (const { offset } of sub) offsets.push(offset);
    })(),
    { code: 'overflow' },
  );
  t.same(offsets, ['6', '7']);
  t.equal(sub.state, 'subscribed', 'only the iterator fell behind');
});

t.test('for await / several wait for the next → served in order', async (t) => {
  const { sub, socket } = await subscribed();
  const iterator = sub[Symbol.asyncIterator]();
  const waiting = [iterator.next(), iterator.next(), iterator.next()];
  socket.message('a', '6');
  void sub.unsubscribe();
  const results = await Promise.all(waiting);
  t.same(
    results.map(({ done }) => done),
    [false, true, true],
  );
});

t.test('signal / aborts → unsubscribed; already aborted → never asked', async (t) => {
  const control = new AbortController();
  const { sub, socket } = await subscribed({ signal: control.signal });
  control.abort();
  t.equal(sub.state, 'ended');
  t.equal(socket.of('unsubscribe').length, 1);
  const { client, connect } = fakeClient();
  t.equal(client.subscribe('a', { signal: AbortSignal.abort() }).state, 'ended');
  t.same((await connect()).sent, []);
});

t.test('ready / times out → the subscription goes on', async (t) => {
  const { client, clock } = fakeClient();
  const sub = client.subscribe('a');
  const late = t.rejects(sub.ready({ timeoutMs: 10 }), { code: 'timeout' });
  await clock.pass(10);
  await late;
  t.equal(sub.state, 'subscribing');
});

t.test('a client with named channels / → their data is typed', async (t) => {
  interface Chat {
    readonly text: string;
  }
  const { client } = fakeClient<{ lobby: string; [room: `room/${string}`]: Chat }>();
  const sub = client.subscribe('room/1');
  sub.on('message', ({ data }) => data.text.length);
  // @ts-expect-error: not a channel of this client
  t.ok(client.subscribe('elsewhere'));
  // @ts-expect-error: the lobby takes strings
  client.publish('lobby', 1).catch(() => {});
  client.close();
});
