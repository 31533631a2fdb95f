import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { Client, ConnectOptions, Subscription } from '../../src/client/node.js';
import { connect } from '../../src/client/node.js';
import type { EarshotOptions } from '../../src/index.js';
import { createApp, MemoryStore } from '../../src/index.js';
import { traceLog } from '../support/logs.js';
import { secret as asSecret } from '../support/secrets.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { tcpProxy } from '../support/tcp-proxy.js';

const SECRET = asSecret('a secret of tests: thirty-two bytes or more');
const MESSAGES = 500;
const CUTS = 20;

/** So that a client that was cut comes back soon. */
const EAGER: ConnectOptions = { minBackoffMs: 1, maxBackoffMs: 40 };
/** So that what is published as fast as it goes is not too fast. */
const UNHURRIED = { commandsPerSecond: 1e6, commandBurst: 1e6 };

async function serverOn(t: Test, options: EarshotOptions, port = 0) {
  const app = await createApp({ maxEventLoopDelayMs: 3_600_000, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  const url = new URL(await app.listen({ port, host: '127.0.0.1' }));
  return {
    app,
    port: Number(url.port),
    wsUrl: `ws://${url.host}/ws`,
    metrics: async () => (await app.inject('/metrics')).body,
  };
}

/** A client that ends with the test. */
function clientOn(t: Test, url: string, options: ConnectOptions = {}): Client {
  const client = connect(url, options);
  t.teardown(() => client.close());
  return client;
}

/** A client that reaches the server by way of a proxy, and comes back soon. */
function through(t: Test, { port }: TcpProxy, options: ConnectOptions = {}): Client {
  return clientOn(t, `ws://127.0.0.1:${port}/ws`, { ...EAGER, ...options });
}

/** Everything that a subscription is told, and a promise of the message with this data. */
function listen(subscription: Subscription) {
  const data: unknown[] = [];
  const resumes: string[] = [];
  let gaps = 0;
  let wake = () => {};
  subscription.on('message', (message) => {
    data.push(message.data);
    wake();
  });
  subscription.on('resumed', ({ resume }) => resumes.push(resume));
  subscription.on('gap', () => gaps++);
  return {
    data,
    resumes,
    gaps: () => gaps,
    async until(awaited: unknown): Promise<void> {
      while (!data.includes(awaited)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** A token of u-1, good for so long, from the next full second on. */
function sign(seconds: number, secret = SECRET): Promise<string> {
  const claims = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  const expiresAt = Math.ceil(Date.now() / 1000) + seconds;
  return claims.setExpirationTime(expiresAt).sign(new TextEncoder().encode(secret)).then(asSecret);
}

t.test('client / all is well → publishes, hears, reads what was and who is there', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  const [ann, ben] = [clientOn(t, wsUrl), clientOn(t, wsUrl)];
  const news = ben.subscribe('news', { presence: true });
  const heard = listen(news);
  await news.ready();
  const { offset, duplicate } = await ann.publish('news', { text: 'one', n: [1, 2.5, null] });
  await ann.publish('news', 'two');
  await heard.until('two');
  t.equal(duplicate, false);
  t.strictSame(heard.data, [{ text: 'one', n: [1, 2.5, null] }, 'two']);
  t.equal(news.offset, (await ann.history('news')).offset);
  const { messages, upToDate } = await ann.history('news', { offset });
  t.match(messages, [{ data: 'two', from: ann.session?.name }]);
  t.equal(upToDate, true);
  t.match(await ann.presence('news'), { count: 1, members: [{ session: ben.session?.session }] });
  await news.unsubscribe();
  t.match(await ann.presence('news'), { count: 0, members: [] });
});

t.test('client / joins late → gets what is kept, then what comes', async (t) => {
  const { app, wsUrl } = await serverOn(t, { dev: true });
  for (const each of ['a', 'b', 'c']) await app.earshot.publish('log', each);
  const heard = listen(clientOn(t, wsUrl).subscribe('log', { offset: '-1' }));
  await heard.until('c');
  await app.earshot.publish('log', 'd');
  await heard.until('d');
  t.strictSame(heard.data, ['a', 'b', 'c', 'd']);
});

t.test('client / two of them → each is told who joins and who leaves, and why', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  const ann = clientOn(t, wsUrl);
  const room = ann.subscribe('room', { presence: true });
  await room.ready();
  const told: unknown[] = [];
  const settled = new Promise<void>((resolve) => {
    room.on('joined', ({ session }) => told.push(['joined', session]));
    room.on('left', ({ session }, cause) => told.push(['left', session, cause]) === 4 && resolve());
  });
  const ben = clientOn(t, wsUrl);
  const his = ben.subscribe('room', { presence: true });
  await his.ready();
  const sessions = [ann, ben].map(({ session }) => session?.session);
  t.strictSame(his.members.map(({ session }) => session).sort(), [...sessions].sort());
  await his.unsubscribe();
  await ben.subscribe('room').ready();
  ben.close();
  await settled;
  const [, session] = sessions;
  t.strictSame(told, [
    ['joined', session],
    ['left', session, 'unsubscribed'],
    ['joined', session],
    ['left', session, 'closed'],
  ]);
  t.equal(room.count, 1);
});

/** Cuts a client's connection, in mid-flight: at times while it is still on its way to being welcomed. */
async function cut(client: Client, proxy: TcpProxy): Promise<void> {
  await (Math.random() < 0.7 ? client.ready() : proxy.connected());
  proxy.cut();
}

t.test(
  `client / cut ${CUTS} times while ${MESSAGES} messages are published → each exactly once`,
  async (t) => {
    const { port } = await serverOn(t, { dev: true, limits: UNHURRIED });
    const [nearReader, nearPublisher] = [await tcpProxy(t, port), await tcpProxy(t, port)];
    const [reader, publisher] = [through(t, nearReader), through(t, nearPublisher)];
    const channel = reader.subscribe('stream');
    const heard = listen(channel);
    await channel.ready();
    const cutsAt = new Set<number>();
    while (cutsAt.size < CUTS) cutsAt.add(1 + Math.floor(Math.random() * (MESSAGES - 2)));
    const published: Promise<{ readonly offset: string }>[] = [];
    for (let at = 0; at < MESSAGES; at++) {
      published.push(publisher.publish('stream', at, { timeoutMs: 30_000 }));
      const hitsReader = Math.random() < 0.5;
      if (cutsAt.has(at)) await (hitsReader ? cut(reader, nearReader) : cut(publisher, nearPublisher));
      else if (Math.random() < 0.1) await published[Math.floor(Math.random() * published.length)];
    }
    const offsets = (await Promise.all(published)).map(({ offset }) => offset);
    await heard.until(MESSAGES - 1);
    const expected = Array.from({ length: MESSAGES }, (_, at) => at);
    await reader.presence('stream'); // whatever was to come has come before its answer
    t.strictSame(heard.data, expected, 'in order, none missing, none twice');
    t.equal(heard.gaps(), 0);
    t.notOk(heard.resumes.includes('lost'));
    t.strictSame([...new Set(offsets)].sort(), offsets, 'the answers rise');
    const { messages } = await reader.history('stream', { limit: 1000 });
    t.strictSame(
      messages.map(({ data }) => data),
      expected,
      'stored once',
    );
  },
);

t.test('client / the connection goes silent → it is given up, and nothing is missing', async (t) => {
  const { app, port } = await serverOn(t, { dev: true });
  const proxy = await tcpProxy(t, port);
  const client = through(t, proxy, { idleTimeoutMs: 1000 });
  const channel = client.subscribe('quiet');
  const heard = listen(channel);
  await channel.ready();
  proxy.stall();
  await app.earshot.publish('quiet', 'lost on the way');
  const published = client.publish('quiet', 'sent into the void');
  await heard.until('sent into the void');
  t.strictSame(heard.data, ['lost on the way', 'sent into the void']);
  t.equal((await published).duplicate, false);
  t.strictSame(heard.resumes, ['none', 'complete']);
});

t.test('client / its server drains, another takes over → resumes complete', async (t) => {
  const store = new MemoryStore();
  const options = { dev: true, store };
  const first = await serverOn(t, options);
  const client = clientOn(t, first.wsUrl, EAGER);
  const channel = client.subscribe('orders', { presence: true });
  const heard = listen(channel);
  await channel.ready();
  await client.publish('orders', 'before');
  await heard.until('before');
  const byes: unknown[] = [];
  client.on('bye', (bye) => byes.push(bye));
  const connecting = new Promise<void>((resolve) => {
    client.on('state', (state) => state !== 'connected' && resolve());
  });
  await first.app.close();
  await connecting;
  t.strictSame(byes, [{ code: 'draining', advice: 'retry', afterMs: [0, 1000] }]);
  await store.append('orders', [{ from: 'another node', data: '"meanwhile"' }]);
  const published = client.publish('orders', 'from afar');
  const second = await serverOn(t, options, first.port);
  await second.app.earshot.publish('orders', 'after');
  await published;
  await Promise.all([heard.until('after'), heard.until('from afar')]);
  const { messages } = await client.history('orders');
  const stored = messages.map(({ data }) => data);
  t.strictSame(heard.data, stored, 'in order, none missing, none twice');
  t.strictSame([...stored].sort(), ['after', 'before', 'from afar', 'meanwhile']);
  t.strictSame([heard.resumes, heard.gaps()], [['none', 'complete'], 0]);
  t.equal(channel.members.length, 1);
  client.close();
  await second.app.close();
});

t.test('client / the next server has another store → is told of the gap, and goes on', async (t) => {
  const first = await serverOn(t, { dev: true });
  const client = clientOn(t, first.wsUrl, EAGER);
  const channel = client.subscribe('orders');
  const heard = listen(channel);
  await channel.ready();
  await client.publish('orders', 'before');
  await heard.until('before');
  await first.app.close();
  const second = await serverOn(t, { dev: true }, first.port);
  await second.app.earshot.publish('orders', 'after');
  await heard.until('after');
  t.strictSame(heard.data, ['before', 'after']);
  t.strictSame([heard.resumes, heard.gaps()], [['none', 'lost'], 1]);
  t.match(await client.publish('orders', 'again'), { duplicate: false });
});

t.test('client / its token is refused → fetches another once, and is in', async (t) => {
  const { wsUrl } = await serverOn(t, { token: { secret: SECRET } });
  const tokens = [await sign(3600, 'not the secret of this server, but long'), await sign(3600)];
  let calls = 0;
  const client = clientOn(t, wsUrl, { ...EAGER, token: () => tokens[calls++] ?? 'no more' });
  await client.ready();
  t.equal(client.session?.user, 'u-1');
  t.equal(calls, 2);
  await client.publish('news', 'in');
  client.reconnect();
  await client.ready();
  t.equal(calls, 2, 'a token that is good is used again');
});

t.test('client / its token is refused twice → closed for good, and says so', async (t) => {
  const { wsUrl, metrics } = await serverOn(t, { token: { secret: SECRET } });
  let calls = 0;
  const client = clientOn(t, wsUrl, { ...EAGER, token: () => `bad ${++calls}` });
  const published = client.publish('news', 'never');
  await t.rejects(client.ready(), { name: 'EarshotError', code: 'unauthenticated' });
  await t.rejects(published, { code: 'unauthenticated' });
  t.equal(client.state, 'closed');
  t.equal(calls, 2);
  t.throws(() => client.subscribe('news'), { code: 'unauthenticated' });
  t.match(await metrics(), /^earshot_refusals_total\{reason="unauthenticated"\} [2-9]$/m);
  t.notMatch(await metrics(), /^earshot_sessions_total\{.* [1-9]/m, 'was never in');
});

t.test('client / its token expires → 4401, a fresh one, and nothing is missing', async (t) => {
  const { app, wsUrl, metrics } = await serverOn(t, { token: { secret: SECRET } });
  const tokens = [await sign(1), await sign(3600)];
  let calls = 0;
  const client = clientOn(t, wsUrl, { ...EAGER, token: () => tokens[calls++] ?? 'no more' });
  const channel = client.subscribe('news');
  const heard = listen(channel);
  await channel.ready();
  const bye = new Promise((resolve) => {
    client.on('bye', resolve);
  });
  t.strictSame(await bye, { code: 'unauthenticated', advice: 'refresh' });
  await app.earshot.publish('news', 'meanwhile');
  await heard.until('meanwhile');
  t.equal(calls, 2);
  t.strictSame(heard.data, ['meanwhile']);
  t.strictSame(heard.resumes, ['none', 'complete']);
  t.match(await metrics(), /^earshot_closes_total\{code="4401"\} 1$/m);
});

t.test('client / renews its token in place → goes on without a cut', async (t) => {
  const { wsUrl, app } = await serverOn(t, { token: { secret: SECRET } });
  const tokens = [await sign(2), await sign(3600)];
  let calls = 0;
  const client = clientOn(t, wsUrl, { ...EAGER, token: () => tokens[calls++] ?? 'no more' });
  await client.ready();
  const [before] = app.earshot.sessions.list();
  const { user, expiresAt } = await client.authenticate();
  t.equal(user, 'u-1');
  t.ok((expiresAt ?? 0) > Date.now() + 3_000_000);
  await client.publish('news', 'still in');
  t.equal(app.earshot.sessions.list()[0]?.id, before?.id);
});

t.test('proxy / cut and stall → do what they say', async (t) => {
  const { port } = await serverOn(t, { dev: true });
  const proxy = await tcpProxy(t, port);
  const client = through(t, proxy);
  await client.ready();
  t.equal(proxy.connections, 1);
  const state = new Promise((resolve) => {
    client.on('state', (_, { code }) => code !== undefined && resolve(code));
  });
  t.equal(proxy.cut(), 1);
  t.equal(await state, 'disconnected');
  await client.ready();
  proxy.stall();
  await t.rejects(client.history('lobby', { timeoutMs: 100 }), { code: 'timeout' });
});
