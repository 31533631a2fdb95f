import { getEventListeners } from 'node:events';
import t from 'tap';
import { connect as connectInBrowser } from '../../src/client/browser.js';
import { connect as connectInNode } from '../../src/client/node.js';
import type { StateInfo } from '../../src/client/options.js';
import { settingsOf } from '../../src/client/options.js';
import { bearerProtocol } from '../../src/client/parts/credentials.js';
import { FakeSocket, fakeClient, settle } from '../support/fake-socket.js';

const problem = (status: number, body: object, headers: Record<string, string> = {}) => ({
  ok: status < 400,
  headers: new Map(Object.entries({ 'content-type': 'application/problem+json', ...headers })),
  json: async () => body,
});

/** A `fetch` that gives one answer and notes what was asked. */
function fetchThat(answer: ReturnType<typeof problem>) {
  const asked: { url: string; headers: Record<string, string> }[] = [];
  const fetch = async (url: string, { headers }: { headers: Record<string, string> }) => {
    asked.push({ url, headers });
    return { ...answer, headers: { get: (name: string) => answer.headers.get(name) ?? null } };
  };
  return { fetch, asked };
}

t.test('connect / welcome → connected, with the session', async (t) => {
  const { client, connect, socket } = fakeClient();
  const states: string[] = [];
  client.on('state', (state) => states.push(state));
  const welcomes: string[] = [];
  client.on('welcome', ({ name }) => welcomes.push(name));
  t.equal(client.state, 'connecting');
  const ready = client.ready();
  await connect();
  await ready;
  await client.ready();
  t.same(states, ['connected']);
  t.same(welcomes, ['ann']);
  t.equal(client.session?.limits.maxSubscriptions, 128);
  t.same(socket().protocols, ['earshot.v1.json']);
  t.equal(socket().url, 'ws://host/app/ws');
});

t.test('connect / with a token → it travels as a subprotocol, in base64url', async (t) => {
  const { socket } = fakeClient({ token: 'ä?>' });
  await settle();
  t.same(socket().protocols, ['earshot.v1.json', 'earshot.bearer.w6Q_Pg']);
  t.equal(bearerProtocol('ab'), 'earshot.bearer.YWI');
});

t.test('connect / no welcome in time → cut, waits, tries again', async (t) => {
  const { client, clock, sockets, socket } = fakeClient();
  await settle();
  await clock.pass(10_000);
  t.equal(client.state, 'waiting');
  t.equal(socket().closedWith, 1000);
  await clock.pass(500);
  t.equal(client.state, 'connecting');
  t.equal(sockets.length, 2);
  sockets[0]?.welcome();
  t.equal(client.state, 'connecting', 'what an earlier socket brings is ignored');
});

t.test('connect / a token function that hangs → times out, its late token is not used', async (t) => {
  let give: (token: string) => void = () => {};
  const { client, clock, sockets } = fakeClient({
    token: () =>
      new Promise<string>((resolve) => {
        give = resolve;
      }),
  });
  await clock.pass(10_000);
  t.equal(client.state, 'waiting');
  const late = give;
  await clock.pass(500);
  t.equal(client.state, 'connecting');
  late('late');
  await settle();
  t.equal(sockets.length, 0, 'the next attempt waits for its own');
  give('good');
  await settle();
  t.equal(sockets.length, 1);
});

t.test('connect / a token function that throws → error, then another try', async (t) => {
  let calls = 0;
  const { client, clock, sockets } = fakeClient({
    token: () => {
      if (++calls === 1) throw new Error('no');
      return 'good';
    },
  });
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  await settle();
  t.same(errors, ['token_failed']);
  t.equal(client.state, 'waiting');
  await clock.pass(500);
  t.equal(sockets.length, 1);
});

t.test('connect / an address that no socket takes → closed, with the reason', async (t) => {
  class Broken {
    constructor() {
      throw new SyntaxError('bad');
    }
    addEventListener() {}
    send() {}
    close() {}
  }
  const { client } = fakeClient({ WebSocket: Broken });
  await t.rejects(client.ready(), { code: 'bad_url' });
  t.equal(client.state, 'closed');
});

t.test('token / known to be good → not fetched again; refused → fetched once, at once', async (t) => {
  let calls = 0;
  const { client, clock, connect, socket, sockets } = fakeClient({ token: async () => `t${++calls}` });
  await connect();
  socket().cut();
  await clock.pass(500);
  await connect();
  t.equal(calls, 1, 'it reached its welcome');
  await clock.pass(6000);
  socket().cut(4401);
  await settle();
  t.equal(calls, 2);
  t.equal(sockets.length, 3, 'at once');
  t.ok(socket().protocols.includes(bearerProtocol('t2')));
  socket().cut(4401);
  await t.rejects(client.ready(), { code: 'unauthenticated' });
  t.equal(calls, 2, 'never replayed');
  t.equal(clock.pending, 0);
});

t.test('token / an attempt with it failed → fetched anew for the next', async (t) => {
  let calls = 0;
  const { clock, connect, socket } = fakeClient({ token: () => `t${++calls}` });
  await connect();
  socket().cut();
  await clock.pass(500);
  socket().cut();
  await settle();
  await clock.pass(1000);
  t.equal(calls, 2);
});

t.test('token / a string that is refused → closed', async (t) => {
  const { client, connect, socket } = fakeClient({ token: 'old' });
  await connect();
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  socket().cut(4401);
  t.equal(client.state, 'closed');
  t.same(errors, ['unauthenticated']);
});

t.test('a refused upgrade / session says refresh → one fresh token, then closed', async (t) => {
  const { fetch, asked } = fetchThat(
    problem(401, { code: 'unauthenticated', advice: 'refresh', detail: 'x' }),
  );
  let calls = 0;
  const { client, socket, sockets } = fakeClient({ token: () => `t${++calls}`, fetch });
  await settle();
  socket().cut();
  await settle();
  await settle();
  t.same(asked[0], { url: 'http://host/app/v1/session', headers: { Authorization: 'Bearer t1' } });
  t.equal(sockets.length, 2);
  const ready = client.ready();
  socket().cut();
  await t.rejects(ready, { code: 'unauthenticated', message: 'x', advice: 'refresh' });
  t.equal(asked.length, 2);
  t.equal(calls, 2);
});

t.test('a refused upgrade / session says never → closed for good', async (t) => {
  const { fetch } = fetchThat(problem(403, { code: 'forbidden', advice: 'never' }));
  const { client, socket } = fakeClient({ fetch, sessionUrl: 'https://other/who' });
  await settle();
  const ready = client.ready();
  socket().cut();
  await t.rejects(ready, { code: 'forbidden' });
  await t.rejects(client.publish('a', 1), { code: 'forbidden' });
});

t.test('a refused upgrade / session says retry → not before Retry-After', async (t) => {
  const answer = problem(503, { code: 'draining', advice: 'retry' }, { 'retry-after': '7' });
  const { client, socket } = fakeClient(fetchThat(answer));
  const infos: StateInfo[] = [];
  client.on('state', (_, info) => infos.push(info));
  await settle();
  socket().cut();
  await settle();
  t.equal(client.state, 'waiting');
  t.match(infos.at(-1), { code: 'draining', advice: 'retry', retryInMs: 7000 });
});

t.test('a refused upgrade / session gives no reason → plain backoff', async (t) => {
  const html = problem(502, {}, { 'content-type': 'text/html' });
  for (const answer of [problem(200, {}), html, problem(500, []), problem(500, { advice: 'never' })]) {
    const { client, socket } = fakeClient(fetchThat(answer));
    const infos: StateInfo[] = [];
    client.on('state', (_, info) => infos.push(info));
    await settle();
    socket().cut();
    await settle();
    t.equal(client.state, 'waiting');
    t.match(infos.at(-1), { code: 'disconnected', retryInMs: 500 });
  }
  const { client, socket } = fakeClient();
  await settle();
  socket().cut();
  await settle();
  t.equal(client.state, 'waiting', 'the network is down');
});

t.test('bye / with a window → told, and comes back inside it', async (t) => {
  const { client, connect, socket } = fakeClient({ random: () => 0.5 });
  await connect();
  const seen: unknown[] = [];
  client.on('bye', (bye) => seen.push(bye));
  client.on('state', (state, info) => seen.push([state, info.retryInMs, info.code]));
  socket().push({ type: 'bye', code: 'draining', advice: 'retry', afterMs: [1000, 3000] });
  socket().cut(1012);
  t.same(seen, [{ code: 'draining', advice: 'retry', afterMs: [1000, 3000] }, ['waiting', 2000, 'draining']]);
});

t.test('close code / 1000 → closed for good', async (t) => {
  const { client, connect, socket } = fakeClient();
  await connect();
  const infos: StateInfo[] = [];
  client.on('state', (_, info) => infos.push(info));
  socket().cut(1000, 'enough');
  t.equal(client.state, 'closed');
  t.match(infos, [{ code: 'done', closeCode: 1000, reason: 'enough', advice: 'never' }]);
});

t.test('liveness / silence → ping, and only silence after that is death', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  await connect();
  await clock.pass(24_999);
  t.equal(socket().of('ping').length, 0);
  await clock.pass(1);
  t.equal(socket().of('ping').length, 1);
  await clock.pass(9000);
  socket().push({ type: 'pong' });
  await clock.pass(20_000);
  t.equal(client.state, 'connected');
  await clock.pass(15_000);
  t.equal(client.state, 'waiting');
});

t.test('liveness / the pong comes within the same millisecond → it counts', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  await connect();
  socket().onCommand = () => socket().push({ type: 'pong' });
  await clock.pass(100_000);
  t.equal(client.state, 'connected');
  t.equal(socket().of('ping').length, 4);
});

t.test('liveness / a busy connection → no ping', async (t) => {
  const { clock, connect, socket } = fakeClient({ idleTimeoutMs: 4000 });
  await connect();
  for (let i = 0; i < 10; i++) {
    await clock.pass(1500);
    socket().push({ type: 'news of a later version', channel: 'a' });
  }
  t.equal(socket().of('ping').length, 0);
  await clock.pass(2000);
  t.equal(socket().of('ping').length, 1);
});

t.test('liveness / the machine slept → asks before it judges', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  await connect();
  await clock.pass(25_000);
  await clock.oversleep(3_600_000);
  t.equal(client.state, 'connected');
  t.equal(socket().of('ping').length, 2);
  await clock.pass(10_000);
  t.equal(client.state, 'waiting');
});

t.test('wake / waiting → comes back at once; connected → makes sure', async (t) => {
  const { client, clock, connect, socket, sockets } = fakeClient();
  await connect();
  client.wake();
  t.equal(socket().of('ping').length, 1);
  socket().cut();
  t.equal(client.state, 'waiting');
  client.wake();
  await settle();
  t.equal(sockets.length, 2);
  await clock.pass(600);
  t.equal(sockets.length, 2, 'the timer of the wait is gone');
});

t.test('disconnect / → stays away until reconnect, even when woken', async (t) => {
  const { client, clock, connect, socket, sockets } = fakeClient();
  await connect();
  client.disconnect();
  t.equal(client.state, 'waiting');
  t.equal(socket().closedWith, 1000);
  client.wake();
  await clock.pass(100_000);
  t.equal(sockets.length, 1);
  client.reconnect();
  await connect();
  t.equal(client.state, 'connected');
  client.reconnect();
  t.equal(client.state, 'connecting', 'connected: cut and come back');
  await connect();
  t.equal(sockets.length, 3);
});

t.test('history, presence / offline → wait for the connection, and survive a cut', async (t) => {
  const { client, connect, comeBack } = fakeClient();
  const page = client.history('a', { offset: '3', limit: 2 });
  const there = client.presence('a');
  const first = await connect();
  t.match(first.last('history'), { channel: 'a', offset: '3', limit: 2 });
  const stale = first.last('history').id;
  const second = await comeBack();
  const { id } = second.last('history');
  t.not(id, stale);
  const messages = [{ offset: '4', from: 'ann', at: 1, data: 1 }];
  second.push({ type: 'history', id: stale, channel: 'a', messages: [], offset: 'x', upToDate: true });
  second.push({ type: 'history', id, channel: 'a', messages, offset: '4', upToDate: true });
  t.same(await page, { messages, offset: '4', upToDate: true });
  const members = [{ session: 's', user: null, name: 'n' }];
  second.push({ type: 'presence', id: second.last('presence').id, channel: 'a', members, count: 7 });
  t.same(await there, { members, count: 7 });
});

t.test('a call / refused → the error with its code, advice and details', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const page = client.history('a', { limit: 0 });
  await settle();
  const { id } = socket.last('history');
  const details = ['limit: Too small'];
  socket.push({ type: 'error', id, code: 'bad_envelope', message: 'm', advice: 'never', details });
  await t.rejects(page, { name: 'EarshotError', code: 'bad_envelope', message: 'm', details });
});

t.test('a call / its time is over, or its signal says so → rejects and leaves nothing behind', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  const late = t.rejects(client.history('a', { timeoutMs: 50 }), { code: 'timeout', advice: 'retry' });
  const control = new AbortController();
  const aborted = t.rejects(client.presence('a', { signal: control.signal }), {
    code: 'aborted',
    cause: 'me',
  });
  const before = t.rejects(client.presence('a', { signal: AbortSignal.abort() }), { code: 'aborted' });
  const notReady = t.rejects(client.ready({ timeoutMs: 50 }), { code: 'timeout' });
  t.equal(getEventListeners(control.signal, 'abort').length, 1);
  control.abort('me');
  await clock.pass(50);
  await Promise.all([late, aborted, before, notReady]);
  await connect();
  t.same(socket().sent, []);
  const { signal } = new AbortController();
  const answered = client.presence('a', { signal });
  await settle();
  socket().push({ type: 'presence', id: socket().last('presence').id, channel: 'a', members: [], count: 0 });
  await answered;
  t.same(getEventListeners(signal, 'abort'), []);
  t.equal(clock.pending, 1, 'only the watch over the connection');
});

t.test('a call / larger than a frame → refused here, for the server would end the session', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  await t.rejects(client.publish('a', 'x'.repeat(70_000), { once: false }), { code: 'too_large' });
  await t.rejects(client.history('x'.repeat(70_000)), { code: 'too_large' });
  t.same([socket.of('publish'), socket.of('history')], [[], []]);
  client.close();
});

t.test('session url / beside the WebSocket, whatever its address', async (t) => {
  const of = (url: string) => settingsOf(url, {}, FakeSocket).sessionUrl;
  t.equal(of('wss://app.example'), 'https://app.example/v1/session');
  t.equal(of('ws://127.0.0.1:8080/ws'), 'http://127.0.0.1:8080/v1/session');
  t.equal(of('wss://app.example/rt/ws?x=/y'), 'https://app.example/rt/v1/session');
  t.equal(of('no address'), '');
});

t.test('token / a reconnect while it is fetched → the earlier one does not come in its place', async (t) => {
  const gives: ((token: string) => void)[] = [];
  const { client, sockets } = fakeClient({ token: () => new Promise<string>((give) => gives.push(give)) });
  client.reconnect();
  await settle();
  gives[1]?.('newer');
  gives[0]?.('older');
  await settle();
  t.same(sockets.at(-1)?.protocols, ['earshot.v1.json', bearerProtocol('newer')]);
  sockets.at(-1)?.welcome();
  sockets.at(-1)?.cut();
  client.wake();
  await settle();
  gives[2]?.('newest');
  await settle();
  t.same(sockets.at(-1)?.protocols[1] === bearerProtocol('older'), false);
  client.close();
});

t.test('a call / 1,000 wait already → overflow', async (t) => {
  const { client } = fakeClient();
  const waiting = Array.from({ length: 1000 }, (_, i) =>
    i % 2 ? client.presence('a') : client.publish('a', i),
  );
  const all = Promise.allSettled(waiting);
  await t.rejects(client.history('a'), { code: 'overflow' });
  await t.rejects(client.publish('a', 1), { code: 'overflow' });
  client.close();
  const codes = (await all).map((result) => result.status === 'rejected' && result.reason.code);
  t.same(new Set(codes), new Set(['closed_by_client']));
});

t.test('authenticate / with and without a token → renews in place, and is used from then on', async (t) => {
  let calls = 0;
  const { client, connect, comeBack } = fakeClient({ token: () => `t${++calls}` });
  const first = await connect();
  const renewed = client.authenticate();
  await settle();
  const { id, token } = first.last('authenticate');
  t.equal(token, 't2');
  first.push({ type: 'authenticated', id, user: 'ann', expiresAt: 5 });
  t.same(await renewed, { user: 'ann', expiresAt: 5 });
  const second = await comeBack();
  t.ok(second.protocols.includes(bearerProtocol('t2')));
  const given = client.authenticate('mine');
  await settle();
  second.refuse(second.last('authenticate').id, 'unauthenticated', 'refresh');
  await t.rejects(given, { code: 'unauthenticated' });
  await t.rejects(fakeClient().client.authenticate(), { code: 'unauthenticated' });
});

t.test('an error without an id / → the error event; what is no envelope is passed over', async (t) => {
  const { client, connect, socket } = fakeClient();
  await connect();
  const codes: string[] = [];
  client.on('error', ({ code }) => codes.push(code));
  for (const text of ['{', '[]', 'null', '1', '{"a":1}', '{"type":"later"}', undefined]) socket().text(text);
  socket().push({ type: 'error', code: 'bad_envelope', message: 'm', advice: 'never' });
  t.same(codes, ['bad_envelope']);
  t.equal(client.state, 'connected');
});

t.test('direct / the server says something to this session → the event, with what it said', async (t) => {
  const { client, connect, socket } = fakeClient();
  await connect();
  const heard: unknown[] = [];
  client.on('direct', ({ from, at, data }) => heard.push([from, at, data]));
  socket().push({ type: 'direct', from: 'server', at: 1, data: { hello: 'ann' } });
  t.same(heard, [['server', 1, { hello: 'ann' }]]);
});

t.test('close / → everything rejects, no timer is left, nothing more is told', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  const socketOpen = await connect();
  const states: string[] = [];
  const off = client.on('state', (state) => states.push(state));
  const waiting = Promise.allSettled([
    client.publish('a', 1),
    client.publish('a', 1, { once: false }),
    client.history('a'),
  ]);
  const sub = client.subscribe('a');
  const ended: unknown[] = [];
  sub.on('ended', (error) => ended.push(error));
  client.close();
  client.close();
  const codes = (await waiting).map((result) => result.status === 'rejected' && result.reason.code);
  t.same(codes, ['closed_by_client', 'closed_by_client', 'closed_by_client']);
  t.same(ended, [undefined]);
  t.same(states, ['closed']);
  t.equal(socketOpen.closedWith, 1000);
  t.equal(clock.pending, 0);
  await t.rejects(client.ready(), { code: 'closed_by_client' });
  t.throws(() => client.subscribe('a'), { code: 'closed_by_client' });
  client.reconnect();
  socket().welcome();
  t.equal(client.state, 'closed');
  off();
});

t.test('close / while connecting, and by dispose → ready rejects', async (t) => {
  const { client, clock } = fakeClient();
  const ready = t.rejects(client.ready(), { code: 'closed_by_client' });
  client[Symbol.dispose]();
  await ready;
  await client[Symbol.asyncDispose]();
  t.equal(clock.pending, 0);
});

t.test('on / the function that comes back → removes the listener', async (t) => {
  const { client, connect, comeBack } = fakeClient();
  const states: string[] = [];
  const off = client.on('state', (state) => states.push(state));
  await connect();
  off();
  await comeBack();
  t.same(states, ['connected']);
});

t.test('a listener that closes the client in the middle of a step → one orderly end', async (t) => {
  const { client, clock, connect, socket } = fakeClient();
  await connect();
  const states: string[] = [];
  client.on('state', (state) => {
    states.push(state);
    client.close();
  });
  socket().cut();
  t.same(states, ['waiting', 'closed']);
  t.equal(clock.pending, 0);
});

t.test('browser / the page is seen or online again → wakes; closed → no listener is left', async (t) => {
  const page = new EventTarget();
  const listening = new Map<string, number>();
  const count = (type: string, change: number) => listening.set(type, (listening.get(type) ?? 0) + change);
  const target = {
    visibilityState: 'visible',
    addEventListener(type: string, listener: () => void) {
      count(type, 1);
      page.addEventListener(type, listener);
    },
    removeEventListener(type: string, listener: () => void) {
      count(type, -1);
      page.removeEventListener(type, listener);
    },
  };
  const sockets: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const { addEventListener, removeEventListener } = target;
  const location = { protocol: 'https:', host: 'example.org' };
  const globals = { document: target, location, WebSocket: Socket, addEventListener, removeEventListener };
  for (const [name, value] of Object.entries(globals)) t.intercept(globalThis, name as never, { value });
  const client = connectInBrowser();
  await settle();
  t.equal(sockets[0]?.url, 'wss://example.org/ws');
  let made = 1;
  for (const event of ['online', 'pageshow', 'visibilitychange']) {
    sockets.at(-1)?.cut(1012);
    t.equal(client.state, 'waiting');
    target.visibilityState = 'hidden';
    page.dispatchEvent(new Event('visibilitychange'));
    t.equal(client.state, 'waiting', 'it is hidden now');
    target.visibilityState = 'visible';
    page.dispatchEvent(new Event(event));
    await settle();
    t.equal(sockets.length, ++made, event);
  }
  client.close();
  t.same([...listening.values()], [0, 0, 0]);
});

t.test('node / a server that is not there → waits, and closes cleanly', async (t) => {
  const client = connectInNode('ws://127.0.0.1:1/ws', {
    fetch: async () => Promise.reject(new Error('none')),
  });
  const state = await new Promise((resolve) => client.on('state', resolve));
  t.equal(state, 'waiting');
  client.close();
  t.equal(client.state, 'closed');
});
