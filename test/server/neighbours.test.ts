import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { Bus, EarshotOptions } from '../../src/index.js';
import { MemoryStore } from '../../src/index.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import { LEASE_MS } from '../support/neighbourhood.js';
import { KEY } from '../support/operator.js';
import type { Received } from '../support/peer.js';
import { peer } from '../support/peer.js';
import { redisServer } from '../support/redis.js';
import { startServer } from '../support/spawn.js';

const SECRET = 'the secret of these tests, longer than thirty-two bytes';
const OTHER_PROCESS = fileURLToPath(new URL('../support/neighbour.mjs', import.meta.url));

/** A bus within this process. */
function busOf(emitter = new EventEmitter()): Bus {
  return {
    publish: (text) => void emitter.emit('news', text),
    listen(hear) {
      emitter.on('news', hear);
      return () => void emitter.off('news', hear);
    },
  };
}

/** What two nodes may share. */
const SHARED: Readonly<Record<string, (t: Test) => Promise<EarshotOptions>>> = {
  'a store and a bus': async (t) => {
    const store = new MemoryStore();
    t.teardown(() => store.end());
    return { store, bus: busOf() };
  },
  Redis: async (t) => ({ store: (await redisServer(t)).url }),
};

/** Two applications that share it, and have heard of each other. */
async function twoNodes(t: Test, shared: EarshotOptions) {
  const options = { ...shared, token: { secret: SECRET }, admin: { key: KEY } };
  const [a, b] = [await appOn(t, options), await appOn(t, options)];
  const know = () => [a, b].every(({ app }) => app.earshot.sessions.hasOtherNodes);
  await eventually('that they know each other', know);
  return { a, b };
}

/** With all that two nodes may share. */
function onTwoNodes(
  title: string,
  run: (t: Test, nodes: Awaited<ReturnType<typeof twoNodes>>) => Promise<void>,
): void {
  for (const [name, share] of Object.entries(SHARED))
    t.test(`${name}, ${title}`, async (t) => run(t, await twoNodes(t, await share(t))));
}

async function as(user: string, jti?: string) {
  const token = new SignJWT({ sub: user, ...(jti && { jti }) })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h');
  const authorization = `Bearer ${await token.sign(new TextEncoder().encode(SECRET))}`;
  return { headers: { authorization } };
}

function operator(url: string, method: string, path: string, body?: object) {
  const headers = { authorization: `Bearer ${KEY}`, ...(body && { 'content-type': 'application/json' }) };
  return fetch(`${url}/v1/admin${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

onTwoNodes(
  'presence / clients on two nodes → each is told of the other, and every API lists both',
  async (t, { a, b }) => {
    t.equal(await a.metric('earshot_neighbours'), 1);
    const ann = await peer(t, a.wsUrl, await as('ann'));
    await ann.call({ type: 'subscribe', channel: 'room', presence: true });
    await eventually('ann on the other node', () => b.app.earshot.presence('room').count === 1);
    const bob = await peer(t, b.wsUrl, await as('bob'));
    const { members } = {
      members: [],
      ...(await bob.call({ type: 'subscribe', channel: 'room', presence: true })),
    };
    const users = [{ user: 'ann' }, { user: 'bob' }];
    t.match(members, users);
    t.match(await ann.next('joined'), { member: { user: 'bob' } });
    t.match(a.app.earshot.presence('room'), { members: users, count: 2 });
    t.match(await (await operator(a.url, 'GET', '/presence?channel=room')).json(), {
      members: users,
      count: 2,
    });
    const commands = JSON.stringify([{ type: 'presence', id: 1, channel: 'room' }]);
    const { headers } = await as('eve');
    const answer = await fetch(`${a.url}/v1/commands`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: commands,
    });
    t.match(await answer.json(), [{ type: 'presence', members: users, count: 2 }]);
    bob.socket.terminate();
    t.match(await ann.next('left'), { member: { user: 'bob' }, cause: 'closed' });
  },
);

onTwoNodes(
  'presence / a node is closed → its members leave by drain, and nobody else is there',
  async (t, { a, b }) => {
    const ann = await peer(t, a.wsUrl, await as('ann'));
    await ann.call({ type: 'subscribe', channel: 'room', presence: true });
    const bob = await peer(t, b.wsUrl, await as('bob'));
    await bob.call({ type: 'subscribe', channel: 'room' });
    await ann.next('joined');
    await b.app.close();
    t.match(await ann.next('left'), { member: { user: 'bob' }, cause: 'drain' });
    for (const { app } of [a, b])
      await eventually('that there is no other', () => !app.earshot.sessions.hasOtherNodes);
    t.equal(b.app.earshot.presence('room').count, 0);
    t.equal((await operator(a.url, 'DELETE', '/sessions/none')).status, 404);
  },
);

onTwoNodes('orders / given to one node → carried out on the other', async (t, { a, b }) => {
  const { earshot } = a.app;
  const before = [await as('ann', 'id-1'), await as('bob')]; // a later one of bob is none of those that are revoked
  const on = async (user: string, jti?: string) => {
    const found = await peer(t, b.wsUrl, await as(user, jti));
    return Object.assign(found, { id: (await found.next('welcome')).session });
  };

  const one = await on('ann');
  t.equal((await operator(a.url, 'DELETE', `/sessions/${one.id}`)).status, 202);
  t.match(await one.closed, { code: 4403 });

  const two = await on('ann');
  await two.call({ type: 'subscribe', channel: 'room' });
  const gone = await operator(a.url, 'DELETE', '/subscriptions?channel=room&user=ann');
  t.strictSame(await gone.json(), { ended: 0 });
  t.match(await two.next('unsubscribed'), { channel: 'room', code: 'forbidden' });
  t.equal(earshot.sessions.endUser('ann'), 0);
  t.match(await two.closed, { code: 4403 });

  const three = await on('ann', 'id-1');
  t.equal(earshot.revoke({ tokenId: 'id-1' }), 0);
  t.match(await three.closed, { code: 4401 });
  const four = await on('bob');
  const revoked = await operator(a.url, 'POST', '/revoke', { user: 'bob' });
  t.strictSame(await revoked.json(), { ended: 0 });
  t.match(await four.closed, { code: 4401 });
  for (const token of before) t.equal((await fetch(`${b.url}/v1/session`, token)).status, 401);
});

t.test('orders / a node starts after them → it refuses what was revoked before', async (t) => {
  const [store, bus] = [new MemoryStore(), busOf()];
  t.teardown(() => store.end());
  const options = { store, bus, token: { secret: SECRET } };
  const a = await appOn(t, options);
  a.app.earshot.revoke({ tokenId: 'id-1' });
  const b = await appOn(t, options);
  const status = async (jti: string) => (await fetch(`${b.url}/v1/session`, await as('ann', jti))).status;
  await eventually('that it is refused', async () => (await status('id-1')) === 401);
  t.equal(await status('id-2'), 200);
});

/** A node of this process, and one in a process of its own, where `kill` ends it without a word. */
interface Pair {
  readonly a: RunningApp;
  readonly otherUrl: string;
  kill(): Promise<unknown>;
}

/** How they may hear each other. */
const PAIRS: Readonly<Record<string, (t: Test) => Promise<Pair>>> = {
  async 'a bus of processes'(t) {
    const emitter = new EventEmitter();
    const a = await appOn(t, { bus: busOf(emitter), token: { secret: SECRET } });
    const env = { ...process.env, EARSHOT_TOKEN_SECRET: SECRET };
    const child = fork(OTHER_PROCESS, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const kill = async () => {
      if (child.kill('SIGKILL')) await once(child, 'exit');
    };
    t.teardown(kill);
    const otherUrl = await new Promise<string>((resolve) => {
      child.on('message', (said: { readonly text?: string; readonly url?: string }) => {
        if (said.text !== undefined) emitter.emit('news', said.text);
        if (said.url !== undefined) resolve(said.url);
      });
    });
    emitter.on('news', (text) => child.connected && child.send({ text }));
    return { a, otherUrl, kill };
  },
  async Redis(t) {
    const { url: store } = await redisServer(t);
    const a = await appOn(t, { store, token: { secret: SECRET } });
    const env = { EARSHOT_STORE: store, EARSHOT_DATA: undefined, EARSHOT_TOKEN_SECRET: SECRET };
    const other = await startServer(t, { env });
    return { a, otherUrl: other.url, kill: () => other.stop('SIGKILL') };
  },
};

for (const [name, start] of Object.entries(PAIRS)) {
  t.test(
    `${name}, processes / one is killed → its members are there for the lease, then left by timeout`,
    async (t) => {
      const { a, otherUrl, kill } = await start(t);
      const { earshot } = a.app;
      const ann = await peer(t, a.wsUrl, await as('ann'));
      await ann.call({ type: 'subscribe', channel: 'room', presence: true });
      const there = await peer(t, `${otherUrl.replace('http', 'ws')}/ws`, await as('bob'));
      await there.call({ type: 'subscribe', channel: 'room' });
      const { member: killed } = await ann.next('joined');
      const here = await peer(t, a.wsUrl, await as('bob'));
      await here.call({ type: 'subscribe', channel: 'room' });
      const { member: left } = await ann.next('joined');
      await kill();
      const killedAtMs = performance.now();
      t.equal(earshot.presence('room').count, 3);
      t.strictSame(await ann.next('left').then(whoAndWhy), { member: killed, cause: 'timeout' });
      const afterMs = performance.now() - killedAtMs;
      t.ok(afterMs > LEASE_MS - 1500, `not before the lease: ${afterMs} ms`);
      t.ok(afterMs < LEASE_MS + 2000, `and no later: ${afterMs} ms`);
      const { members, count } = earshot.presence('room');
      t.equal(count, 2);
      t.match(members, [{ user: 'ann' }, left], 'whoever is here too is there all the while');
      here.socket.terminate();
      t.strictSame(await ann.next('left').then(whoAndWhy), { member: left, cause: 'closed' });
      t.equal(earshot.presence('room').count, 1);
    },
  );
}

function whoAndWhy({ member, cause }: Received<'left'>) {
  return { member, cause };
}
