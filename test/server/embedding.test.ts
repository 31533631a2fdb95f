import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { Earshot } from '../../src/index.js';
import { earshot, Refused } from '../../src/index.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { appOn } from '../support/app.js';
import { peer, plainPeer } from '../support/peer.js';

// What a host whose decorator has another name writes, once, for its types.
declare module 'fastify' {
  interface FastifyInstance {
    live: Earshot;
  }
}

const SECRET = 'the secret of these tests, longer than thirty-two bytes';
const NOBODY = 'no-such-session';

/** Anybody is who they say. */
const BELIEVING: EarshotOptions = {
  hooks: { onConnect: ({ request }) => ({ user: String(request.headers['x-user']) }) },
};

const as = (user: string) => ({ headers: { 'x-user': user } });

function sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
  const token = new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h');
  return token.sign(new TextEncoder().encode(SECRET));
}

async function listening(t: Test, app: FastifyInstance): Promise<string> {
  t.teardown(() => app.close());
  return app.listen({ port: 0, host: '127.0.0.1' });
}

/** The code that is thrown, at once or later. */
async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused) return error.code;
    throw error;
  }
  return 'nothing was refused';
}

t.test(
  'publish / data, from and meta → readers get them; repeated by one producer it is stored once',
  async (t) => {
    const { app, wsUrl } = await appOn(t);
    const reader = await peer(t, wsUrl);
    await reader.call({ type: 'subscribe', channel: 'a' });
    const producer = { id: 'shop', epoch: 0, seq: 0 };
    const first = await app.earshot.publish('a', { n: 1 }, { from: 'shop', meta: { order: 7 }, producer });
    t.match(first, { offset: String, duplicate: false });
    t.match(await app.earshot.publish('a', { n: 1 }, { producer }), {
      offset: first.offset,
      duplicate: true,
    });
    await app.earshot.publish('a', 'plain');
    t.match(await reader.next('message'), {
      offset: first.offset,
      from: 'shop',
      data: { n: 1 },
      meta: { order: 7 },
    });
    t.match(await reader.next('message'), { from: 'server', data: 'plain', meta: undefined });
  },
);

t.test('publish / what can not be → Refused, with the code that a client would be told', async (t) => {
  const { app } = await appOn(t);
  const circular: unknown[] = [];
  circular.push(circular);
  for (const data of [undefined, () => 1, circular, 1n]) {
    t.equal(await refusal(() => app.earshot.publish('a', data)), 'bad_data');
  }
  t.equal(await refusal(() => app.earshot.publish('a b', 1)), 'bad_channel');
  await app.earshot.channels.create('a');
  await app.earshot.channels.close('a');
  t.equal(await refusal(() => app.earshot.publish('a', 1)), 'closed');
});

t.test('publish / where nobody may, or only the server makes channels → the server may', async (t) => {
  const { app } = await appOn(t, { channels: { '**': { authenticated: [], create: 'server' } } });
  t.match(await app.earshot.publish('a', 1), { duplicate: false });
});

t.test('history / page by page → every message once, then up to date', async (t) => {
  const { app } = await appOn(t, { retention: { messages: 5 } });
  for (let n = 0; n < 5; n++) await app.earshot.publish('a', n, { meta: { n } });
  const first = await app.earshot.history('a', { limit: 3 });
  t.match(first, {
    upToDate: false,
    messages: [{ data: 0, meta: { n: 0 }, from: 'server', at: Number }, {}, {}],
  });
  const second = await app.earshot.history('a', { offset: first.offset });
  t.strictSame(
    [...first.messages, ...second.messages].map(({ data }) => data),
    [0, 1, 2, 3, 4],
  );
  t.equal(second.upToDate, true);
  t.match(await app.earshot.history('a', { offset: second.offset }), { messages: [], upToDate: true });
  t.match(await app.earshot.history('a', { offset: 'now' }), { messages: [], upToDate: true });
  const [oldest] = first.messages;
  for (let n = 0; n < 5; n++) await app.earshot.publish('a', n);
  t.equal(await refusal(() => app.earshot.history('a', { offset: oldest?.offset })), 'gone');
  t.equal(await refusal(() => app.earshot.history('a', { offset: 'x' })), 'bad_offset');
  t.equal(await refusal(() => app.earshot.history('a b')), 'bad_channel');
});

t.test('presence / somebody is there → named; nobody → an empty list', async (t) => {
  const { app, wsUrl } = await appOn(t, BELIEVING);
  const client = await peer(t, wsUrl, as('ann'));
  const { session } = await client.next('welcome');
  await client.call({ type: 'subscribe', channel: 'a' });
  t.strictSame(app.earshot.presence('a'), { members: [{ session, user: 'ann', name: 'ann' }], count: 1 });
  t.strictSame(app.earshot.presence('b'), { members: [], count: 0 });
  t.equal(await refusal(() => app.earshot.presence('a b')), 'bad_channel');
});

t.test('sessions / list, find, get, count → who is connected, and since when', async (t) => {
  const { app, wsUrl } = await appOn(t, BELIEVING);
  const { sessions } = app.earshot;
  const ids: string[] = [];
  for (const user of ['ann', 'ann', 'bob']) {
    const client = await peer(t, wsUrl, as(user));
    ids.push((await client.next('welcome')).session);
    await client.call({ type: 'subscribe', channel: `of/${user}` });
  }
  const [ann = '', annToo = '', bob = ''] = ids;
  t.equal(sessions.count, 3);
  t.strictSame(
    sessions.find('ann').map(({ id }) => id),
    [ann, annToo],
    'oldest first',
  );
  t.match(sessions.get(bob), {
    id: bob,
    user: 'bob',
    name: 'bob',
    address: '127.0.0.1',
    transport: 'websocket',
    beganAt: Number,
    expiresAt: null,
    channels: ['of/bob'],
  });
  const sorted = ids.toSorted();
  t.strictSame(
    sessions.list().map(({ id }) => id),
    sorted,
  );
  const page = sessions.list({ limit: 2 }).map(({ id }) => id);
  t.strictSame(page, sorted.slice(0, 2));
  t.strictSame(
    sessions.list({ after: page.at(-1), limit: 2 }).map(({ id }) => id),
    sorted.slice(2),
  );
  t.strictSame([sessions.find('eve'), sessions.get(NOBODY)], [[], undefined]);
});

t.test('sessions / send → a direct to that one alone, in no log', async (t) => {
  const { app, wsUrl } = await appOn(t);
  const { sessions } = app.earshot;
  const [client, other] = [await peer(t, wsUrl), await peer(t, wsUrl)];
  const { session } = await client.next('welcome');
  await other.next('welcome');
  t.equal(sessions.send(session, { hello: 1 }), true);
  t.equal(sessions.send(session, 'you', { from: 'admin' }), true);
  t.match(await client.next('direct'), { from: 'server', at: Number, data: { hello: 1 } });
  t.match(await client.next('direct'), { from: 'admin', data: 'you' });
  t.strictSame(await other.fence(), []);
  t.equal(sessions.send(NOBODY, 1), false);
  const plain = await plainPeer(t, wsUrl);
  await plain.next();
  const [of] = sessions.list().filter(({ channels }) => channels.length > 0);
  t.equal(sessions.send(of?.id ?? '', { hello: 2 }), true);
  t.equal(await plain.next(), 'server -> {"hello":2}', 'a plain client gets a line');
});

t.test('sessions / send what JSON does not have → bad_data, and the client gets nothing', async (t) => {
  const { app, wsUrl } = await appOn(t);
  const client = await peer(t, wsUrl);
  const { session } = await client.next('welcome');
  const circular: unknown[] = [];
  circular.push(circular);
  for (const data of [undefined, () => 1, circular, 1n]) {
    t.equal(await refusal(() => app.earshot.sessions.send(session, data)), 'bad_data');
  }
  t.strictSame(await client.fence(), []);
});

t.test('sessions / end and endUser → told forbidden, closed with 4403, and gone', async (t) => {
  const { app, wsUrl } = await appOn(t, BELIEVING);
  const { sessions } = app.earshot;
  const [one, two, three] = await Promise.all(['ann', 'ann', 'bob'].map((user) => peer(t, wsUrl, as(user))));
  const welcomed = await Promise.all([one, two, three].map((client) => client?.next('welcome')));
  t.equal(sessions.end(welcomed[2]?.session ?? ''), true);
  t.match(await three?.next('bye'), { code: 'forbidden', advice: 'never' });
  t.match(await three?.closed, { code: 4403 });
  t.equal(sessions.endUser('ann'), 2);
  for (const client of [one, two]) t.match(await client?.closed, { code: 4403 });
  t.equal(sessions.count, 0);
  t.strictSame([sessions.end(NOBODY), sessions.endUser('ann')], [false, 0]);
});

t.test('channels / create, list, info, close, delete → as told, and subscribers are told', async (t) => {
  const { app, wsUrl } = await appOn(t, { channels: { 'b/*': { anonymous: ['subscribe'] } } });
  const { channels } = app.earshot;
  const offset = await channels.create('b/1');
  t.equal(await channels.create('b/1'), offset, 'twice is the same as once');
  await channels.create('a');
  t.strictSame(await channels.list(), ['a', 'b/1']);
  t.strictSame(await channels.list({ limit: 1 }), ['a']);
  t.strictSame(await channels.list({ after: 'a' }), ['b/1']);
  const client = await peer(t, wsUrl);
  await client.call({ type: 'subscribe', channel: 'b/1' });
  const published = await app.earshot.publish('b/1', 'x');
  t.match(await channels.info('b/1'), {
    channel: 'b/1',
    startOffset: offset,
    offset: published.offset,
    contentType: 'application/json',
    messages: 1,
    bytes: Number,
    lastAt: Number,
    closed: false,
    subscriptions: 1,
    rule: 'b/*',
  });
  await client.next('message');
  t.equal(await channels.close('b/1'), published.offset);
  t.match(await client.next('closed'), { channel: 'b/1', offset: published.offset });
  t.match(await channels.info('b/1'), { closed: true, messages: 1 });
  await client.call({ type: 'subscribe', channel: 'b/2' });
  await channels.create('b/2');
  await channels.delete('b/2');
  t.match(await client.next('unsubscribed'), { channel: 'b/2', code: 'gone' });
  t.equal(await channels.info('b/2'), undefined);
  t.equal(await refusal(() => channels.close('none')), 'not_found');
  t.equal(await refusal(() => channels.delete('none')), 'not_found');
  for (const method of ['info', 'create', 'close', 'delete'] as const) {
    t.equal(await refusal(() => channels[method]('a b')), 'bad_channel', method);
  }
});

t.test('stats / somebody comes, and the end → what this node holds', async (t) => {
  const { app, wsUrl } = await appOn(t, BELIEVING);
  const nobody = { sessions: 0, users: 0, subscriptions: 0, channels: 0, queuedBytes: 0, draining: false };
  t.match(app.earshot.stats(), nobody);
  for (const user of ['ann', 'ann', 'bob']) {
    const client = await peer(t, wsUrl, as(user));
    await client.call({ type: 'subscribe', channel: 'a' });
  }
  t.match(app.earshot.stats(), { sessions: 3, users: 2, subscriptions: 3, channels: 1, uptimeMs: Number });
  await app.earshot.drain();
  t.match(app.earshot.stats(), { ...nobody, draining: true });
});

t.test(
  'revoke / a user → its sessions end with 4401, its tokens of before are refused, later ones are not',
  async (t) => {
    const { app, wsUrl } = await appOn(t, { dev: false, token: { secret: SECRET } });
    const header = async (sub: string, iat: number) => ({
      headers: { authorization: `Bearer ${await sign({ sub, iat })}` },
    });
    const nowInSeconds = Math.floor(Date.now() / 1000);
    const [ann, bob] = [await header('ann', nowInSeconds), await header('bob', nowInSeconds)];
    const [client, other] = [await peer(t, wsUrl, ann), await peer(t, wsUrl, bob)];
    await Promise.all([client.next('welcome'), other.next('welcome')]);
    t.equal(app.earshot.revoke({ user: 'ann' }), 1);
    t.match(await client.next('bye'), { code: 'unauthenticated', advice: 'refresh' });
    t.match(await client.closed, { code: 4401 });
    const session = `${wsUrl.replace('ws:', 'http:').replace('/ws', '')}/v1/session`;
    t.equal((await fetch(session, ann)).status, 401);
    t.equal((await fetch(session, bob)).status, 200);
    t.strictSame(await other.fence(), []);
    t.equal(app.earshot.revoke({ user: 'ann' }), 0, 'nobody is left');
  },
);

t.test('revoke / a user that onConnect named → ended by endUser instead', async (t) => {
  const { app, wsUrl } = await appOn(t, BELIEVING);
  const client = await peer(t, wsUrl, as('ann'));
  await client.next('welcome');
  t.equal(app.earshot.revoke({ user: 'ann' }), 0);
  t.strictSame(await client.fence(), []);
  t.equal(app.earshot.sessions.endUser('ann'), 1);
});

t.test('two registrations / names and prefixes of their own → nothing is shared', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true, prefix: '/one' });
  await app.register(earshot, { dev: true, prefix: '/two', decorateAs: 'live' });
  const url = await listening(t, app);
  const one = await peer(t, `${url.replace('http', 'ws')}/one/ws`);
  await one.call({ type: 'subscribe', channel: 'a' });
  await one.call({ type: 'publish', channel: 'a', data: 1 });
  t.equal(app.earshot.sessions.count, 1);
  t.equal(app.live.sessions.count, 0);
  t.strictSame([await app.earshot.channels.list(), await app.live.channels.list()], [['a'], []]);
  const metrics = async (name: string) => (await fetch(`${url}/${name}/metrics`)).text();
  t.match(await metrics('one'), /^earshot_sessions_total\{.*\} 1$/m);
  t.notMatch(await metrics('two'), /^earshot_sessions_total\{/m);
  await app.live.close();
  t.strictSame(await one.fence().then((left) => left.map(({ type }) => type)), ['welcome', 'message']);
  t.equal((await fetch(`${url}/two/v1/session`)).status, 503, 'that one has ended');
  t.equal((await fetch(`${url}/one/v1/session`)).status, 200);
  await app.close();
  t.match(await one.closed, { code: 1012 });
});

t.test('await using / Symbol.asyncDispose → everybody is told, and it ends', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true });
  const url = await listening(t, app);
  const client = await peer(t, `${url.replace('http', 'ws')}/ws`);
  await app.earshot[Symbol.asyncDispose]();
  t.match(await client.next('bye'), { code: 'draining' });
  t.match(await client.closed, { code: 1012 });
  t.match(app.earshot.stats(), { sessions: 0, draining: true });
  t.equal(app.server.listenerCount('upgrade'), 0);
  await app.close();
});

t.test('types / the decorators → known as what they are, also under another name', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true, prefix: '/one' });
  await app.register(earshot, { dev: true, prefix: '/two', decorateAs: 'live' });
  t.teardown(() => app.close());
  const published: Promise<{ readonly offset: string }> = app.earshot.publish('a', 1);
  t.match(await published, { offset: String });
  const count: number = app.live.sessions.count;
  t.equal(count, 0);
  // @ts-expect-error it is known to want a text
  t.equal(await refusal(() => app.earshot.publish(5, 1)), 'bad_channel');
  // @ts-expect-error it is known to have no such method
  t.equal(app.earshot.shout, undefined);
});
