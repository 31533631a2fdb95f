import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import { handshake, rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import type { LoggedScene } from './logged-scene.js';
import { loggedScene } from './logged-scene.js';
import { answerTo, isProblem, ours, refused, type Scene, scene, undisturbed } from './scene.js';

t.setTimeout(180_000);

/** Of a rate this low exactly one comes through while a test runs. */
const ONE = 0.001;
/** Commands that come as fast as the machine makes them. */
const FAST = { commandsPerSecond: 1e9, commandBurst: 1_000_000 };
const SECRET = secret('the secret of these attacks, longer than thirty-two bytes');
const ATTACKER = { 'x-forwarded-for': '203.0.113.66' };

/** While the attack goes on, and after it, the bystander is answered, and nothing is left uncaught. */
async function undisturbedBy(t: Test, on: Scene, attack: () => Promise<unknown>): Promise<void> {
  const ask = () => on.bystander.call({ type: 'ping' });
  const answers = [ask()];
  const asking = setInterval(() => answers.push(ask()), 50);
  await attack().finally(() => clearInterval(asking));
  for (const { type } of await Promise.all(answers)) t.equal(type, 'pong');
  await undisturbed(t, on);
}

/** Does it so often, `width` at a time. */
async function inParallel<T>(times: number, width: number, work: (at: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < times) results.push(await work(next++));
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

/** How often each comes. */
function tally(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** The status of what is answered; the connection is not kept. */
async function statusOf(t: Test, { port }: Scene, bytes: string): Promise<number> {
  const raw = await rawConnect(t, port);
  await raw.send(bytes);
  const { status } = await raw.response();
  raw.socket.destroy();
  return status;
}

async function enter(t: Test, { wsUrl }: Scene): Promise<Peer> {
  const entered = await peer(t, wsUrl);
  await entered.next('welcome');
  return entered;
}

/** Whatever comes, to the end. */
async function allOf({ any }: { any: () => Promise<{ readonly type: string }> }): Promise<string[]> {
  const types: string[] = [];
  for (;;) {
    const came = await any().catch(() => undefined);
    if (came === undefined) return types;
    types.push('code' in came ? `${came.type} ${came.code}` : came.type);
  }
}

/** Nobody but the bystander is left, and it holds nothing. */
async function nothingHeld({ app }: Scene): Promise<void> {
  await eventually('an end of everything it held', () => {
    const { sessions, subscriptions, channels } = app.earshot.stats();
    return sessions === 1 && subscriptions === 0 && channels === 0;
  });
}

function causesIn({ lines }: LoggedScene): Record<string, number> {
  return tally(lines().flatMap((line) => JSON.parse(line).cause ?? []));
}

t.test('flood / 2,000 connects from one address → 429 but for the first; others come in', async (t) => {
  const options = { trustProxy: ['loopback'], limits: { perAddress: { connectsPerSecond: ONE } } };
  const on = await loggedScene(t, options, { headers: { 'x-forwarded-for': '203.0.113.1' } });
  let statuses: number[] = [];
  await undisturbedBy(t, on, async () => {
    statuses = await inParallel(2000, 50, () => statusOf(t, on, ours({ headers: ATTACKER })));
  });
  t.strictSame(tally(statuses), { 101: 1, 429: 1999 });
  t.equal(await on.metric('earshot_refusals_total', { reason: 'rate_limited' }), 1999);
  t.equal(await on.metric('earshot_limited_total', { limit: 'connects', scope: 'address' }), 1999);
  t.match(causesIn(on), { 'connect: rate_limited': 1 });
  await peer(t, on.wsUrl, { headers: { 'x-forwarded-for': '203.0.113.2' } });
  await nothingElse(on, 2);
});

/** So many sessions are left. */
async function nothingElse({ metric }: Scene, sessions: number): Promise<void> {
  await eventually(`${sessions} sessions`, async () => (await metric('earshot_sessions')) === sessions);
}

t.test('flood / 10,000 subscribes of one session → 4413, and nothing of it is left', async (t) => {
  const on = await scene(t, { limits: FAST });
  const attacker = await enter(t, on);
  let came: string[] = [];
  await undisturbedBy(t, on, async () => {
    for (let id = 1; id <= 10_000; id++) {
      attacker.sendRaw(`{"type":"subscribe","id":${id},"channel":"flood/${id}"}`);
    }
    came = await allOf({ any: () => attacker.any() });
  });
  const { subscribed, 'error too_many': tooMany = 0, ...rest } = tally(came);
  t.equal(subscribed, 128);
  t.ok(tooMany <= 10, `told ${tooMany} times`);
  t.strictSame(rest, { 'bye too_many': 1 });
  t.match(await attacker.closed, { code: 4413 });
  await nothingHeld(on);
});

t.test(
  'flood / publishes at ten times the limit → rate_limited, then 4429; what was answered is kept',
  async (t) => {
    const on = await scene(t, { limits: { commandsPerSecond: ONE, commandBurst: 500 } });
    const attacker = await enter(t, on);
    let came: string[] = [];
    await undisturbedBy(t, on, async () => {
      for (let id = 1; id <= 5000; id++) {
        attacker.sendRaw(`{"type":"publish","id":${id},"channel":"flood","data":${id}}`);
      }
      came = await allOf({ any: () => attacker.any() });
    });
    const { published = 0, ...rest } = tally(came);
    t.strictSame(rest, { 'error rate_limited': 100, 'bye rate_limited': 1 });
    t.match(await attacker.closed, { code: 4429 });
    const { messages } = await on.app.earshot.history('flood', { limit: 1000 });
    t.ok(
      messages.length >= published && messages.length <= 500,
      `${messages.length} stored, ${published} answered`,
    );
    t.strictSame(
      messages.map(({ data }) => data),
      messages.map((_, at) => at + 1),
    );
    await nothingHeld(on);
  },
);

/** The headers of somebody who may connect. */
async function good(): Promise<Record<string, string>> {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = new SignJWT({ sub: 'bystander', exp }).setProtectedHeader({ alg: 'HS256' });
  const authorization = `Bearer ${secret(await token.sign(new TextEncoder().encode(SECRET)))}`;
  return { authorization, 'x-forwarded-for': '203.0.113.1' };
}

/** A server that takes tokens, and a bystander that has one. */
async function guarded(t: Test, options: EarshotOptions = {}): Promise<LoggedScene> {
  const all = { dev: false, token: { secret: SECRET }, trustProxy: ['loopback'], ...options };
  return loggedScene(t, all, { headers: await good() });
}

/** Guesses a token, by turns over an upgrade and over a request. */
function guess(t: Test, on: Scene, at: number): Promise<number> {
  const headers = { authorization: `Bearer eyJhbGciOiJIUzI1NiJ9.e30.${at}guess${at}`, ...ATTACKER };
  if (at % 2 === 0) return statusOf(t, on, ours({ headers }));
  const plain = { ...headers, connection: 'close', upgrade: undefined };
  return statusOf(t, on, handshake({ path: '/v1/session', headers: plain }));
}

t.test('flood / wrong tokens → 401 each, counted each, told in a line', async (t) => {
  const on = await guarded(t);
  let statuses: number[] = [];
  await undisturbedBy(t, on, async () => {
    statuses = await inParallel(600, 20, (at) => guess(t, on, at));
  });
  t.strictSame(tally(statuses), { 401: 600 });
  t.equal(await on.metric('earshot_refusals_total', { reason: 'unauthenticated' }), 600);
  t.strictSame(causesIn(on), { 'connect: unauthenticated': 1, 'request: unauthenticated': 1 });
});

t.test('flood / wrong tokens, where connects are bounded → one guess, then 429', async (t) => {
  const on = await guarded(t, { limits: { perAddress: { connectsPerSecond: ONE } } });
  let statuses: number[] = [];
  await undisturbedBy(t, on, async () => {
    statuses = await inParallel(600, 20, (at) => guess(t, on, at));
  });
  t.strictSame(tally(statuses), { 401: 1, 429: 599 });
});

t.test(
  'connections / 1,000 that never send a byte, 200 that stop in mid-handshake → others go on; then 408',
  async (t) => {
    const on = await scene(t);
    const silent = await inParallel(1000, 50, () => rawConnect(t, on.port));
    const half = await inParallel(200, 50, async (at) => {
      const raw = await rawConnect(t, on.port);
      await raw.send(ours().slice(0, 40 + at / 2)); // within the headers
      return raw;
    });
    await undisturbedBy(t, on, async () => {
      const client = await enter(t, on);
      t.match(await client.call({ type: 'publish', channel: 'a', data: 1 }), { type: 'published' });
      client.socket.close();
      await client.closed;
    });
    on.app.server.headersTimeout = 100; // looked at once a second
    const statuses = await Promise.all([...silent, ...half].map((raw) => raw.response(60_000)));
    t.strictSame(tally(statuses.map(({ status }) => status)), { 408: 1200 });
    await Promise.all([...silent, ...half].map(({ closed }) => closed));
    await undisturbed(t, on);
  },
);

t.test(
  'churn / subscribes and unsubscribes without end → each is answered, and nothing is left',
  async (t) => {
    const on = await scene(t, { limits: FAST });
    const attacker = await enter(t, on);
    const answers: string[] = [];
    await undisturbedBy(t, on, async () => {
      for (let id = 1; id <= 4000; id += 2) {
        const channel = `churn/${id % 7}`;
        attacker.sendRaw(`{"type":"subscribe","id":${id},"channel":"${channel}","offset":"-1"}`);
        attacker.sendRaw(`{"type":"unsubscribe","id":${id + 1},"channel":"${channel}"}`);
      }
      while (answers.length < 4000) answers.push((await attacker.any()).type);
    });
    t.strictSame(tally(answers), { subscribed: 2000, unsubscribed: 2000 });
    t.match(on.app.earshot.stats(), { subscriptions: 0, channels: 0 });
  },
);

t.test(
  'presence / one that comes and goes without end → the others are told in pairs, and see nobody at the end',
  async (t) => {
    const on = await scene(t, { limits: FAST });
    const watcher = await enter(t, on);
    await watcher.call({ type: 'subscribe', channel: 'room', presence: true });
    const attacker = await enter(t, on);
    await undisturbedBy(t, on, async () => {
      for (let id = 1; id <= 2000; id += 2) {
        attacker.sendRaw(`{"type":"subscribe","id":${id},"channel":"room","presence":true}`);
        attacker.sendRaw(`{"type":"unsubscribe","id":${id + 1},"channel":"room"}`);
      }
      for (let count = 0; count < 2000; count++) await attacker.any();
    });
    const told = (await watcher.fence()).map(({ type }) => type);
    t.strictSame(
      told,
      Array.from({ length: 2000 }, (_, at) => (at % 2 === 0 ? 'joined' : 'left')),
    );
    t.match(await watcher.call({ type: 'presence', channel: 'room' }), { members: { length: 1 } });
  },
);

t.test(
  'history / asked for again and again without reading → is made when there is room, all of it in the end',
  async (t) => {
    const on = await scene(t, { limits: FAST });
    for (let each = 0; each < 120; each++) await on.app.earshot.publish('long', 'x'.repeat(1000));
    const attacker = await enter(t, on);
    const lengths: number[] = [];
    await undisturbedBy(t, on, async () => {
      attacker.socket.pause();
      for (let id = 1; id <= 200; id++) attacker.sendRaw(`{"type":"history","id":${id},"channel":"long"}`);
      for (let each = 0; each < 20; each++) await on.bystander.call({ type: 'ping' });
      attacker.socket.resume();
      while (lengths.length < 200) {
        const answer = await attacker.next('history');
        t.equal(answer.id, lengths.length + 1);
        lengths.push(answer.messages.length);
      }
    });
    t.strictSame([...new Set(lengths)].length, 1, 'every page the same');
  },
);

t.test('size / headers, tokens and frames of 100 KB → refused before anything looks at them', async (t) => {
  const on = await guarded(t);
  const huge = secret(`a-huge-token-${'x'.repeat(100_000)}`);
  const offered = ['earshot.v1.json', `earshot.bearer.${Buffer.from(huge).toString('base64url')}`];
  const inits = {
    header: { headers: { 'x-large': 'x'.repeat(100_000) } },
    'a token': { headers: { authorization: `Bearer ${huge}` } },
    'a token as subprotocol': { protocols: offered },
    'a token in the URL': { path: `/ws?token=${huge}` },
    'a cookie': { headers: { cookie: `sid=${huge}` } },
    '3,000 headers': { headers: { 'x-many': Array(3000).fill('a') } },
  };
  for (const [name, init] of Object.entries(inits))
    t.equal((await answerTo(t, on.port, ours(init))).status, 431, name);
  const most = { authorization: `Bearer ${huge.slice(0, 15_000)}` };
  await refused(t, on, ours({ headers: most }), { status: 401, code: 'unauthenticated' });
  const client = await peer(t, on.wsUrl, { headers: await good() });
  await client.next('welcome');
  for (const [length, code] of [
    [15_000, 'unauthenticated'],
    [60_000, 'bad_envelope'],
  ] as const) {
    client.sendRaw(JSON.stringify({ type: 'authenticate', id: 1, token: huge.slice(0, length) }));
    t.match(await client.next('error'), { code, id: 1 });
  }
  client.sendRaw(JSON.stringify({ type: 'authenticate', id: 2, token: huge }));
  t.match(await client.closed, { code: 1009 });
  await undisturbed(t, on);
});

const INHERITED = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'];

t.test('names / of what every object inherits → are names like any other', async (t) => {
  const onConnect = ({ request }: { request: { headers: NodeJS.Dict<string | string[]> } }) => {
    const { 'x-user': user } = request.headers;
    return typeof user === 'string' ? { user } : undefined;
  };
  const limits = { perUser: { maxSubscriptions: 1 } };
  const on = await scene(t, { hooks: { onConnect }, limits, channels: { 'constructor/**': {}, '**': {} } });
  for (const name of INHERITED) {
    const client = await peer(t, on.wsUrl, { headers: { 'x-user': name } });
    t.match(await client.next('welcome'), { user: name, name });
    for (const channel of [name, `${name}/${name}`]) {
      t.match(await client.call({ type: 'subscribe', channel, presence: true }), {
        resume: 'none',
        members: [{ user: name }],
      });
      const producer = { id: name, epoch: 0, seq: 0 };
      const raw = `{"${name}":{"polluted":true},"a":[{"${name}":1}]}`;
      client.sendRaw(
        `{"type":"publish","id":1000,"channel":"${channel}","data":${raw},"producer":${JSON.stringify(producer)}}`,
      );
      const message = await client.next('message');
      t.match(message, { channel, from: name });
      t.ok(message.text.includes(`"data":${raw}`), 'the data as it came');
      t.match(await client.next('published'), { channel, duplicate: false });
      t.match(await client.call({ type: 'history', channel }), { messages: { length: 1 } });
      t.match(await client.call({ type: 'unsubscribe', channel }), { type: 'unsubscribed' });
    }
    t.equal(on.app.earshot.sessions.end(name), false, 'no session has this id');
    client.sendRaw(`{"type":"${name}","id":1}`);
    t.match(await client.next('error'), { code: 'bad_envelope' });
    client.sendRaw(`{"type":"ping","id":2,"${name}":{}}`);
    t.match(await client.next('error'), { code: 'bad_envelope' });
  }
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  await undisturbed(t, on);
});

t.test('commands over HTTP / of what every object inherits → the same', async (t) => {
  const on = await scene(t);
  const headers = { 'content-type': 'application/json' };
  const post = async (body: string) =>
    (await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body })).json();
  for (const channel of INHERITED) {
    const data = `{"${channel}":{"polluted":true}}`;
    t.match(await post(`[{"type":"publish","id":1,"channel":"${channel}","data":${data}}]`), [
      { type: 'published' },
    ]);
    t.match(await post(`[{"type":"history","id":1,"channel":"${channel}"}]`), [{ messages: { length: 1 } }]);
    t.match(await post(`[{"type":"${channel}","id":1}]`), [{ code: 'bad_envelope' }]);
  }
  for (const body of ['{"__proto__":[]}', '"__proto__"', '[[]]', `${'['.repeat(50_000)}`]) {
    const response = await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body });
    t.ok([200, 400].includes(response.status), `${body.slice(0, 20)} is answered ${response.status}`);
  }
  const {
    status,
    headers: told,
    body,
  } = await answerTo(
    t,
    on.port,
    handshake({ path: '/constructor', headers: { connection: 'close', upgrade: undefined } }),
  );
  isProblem(t, { status, reason: '', headers: told, body }, { status: 404, code: 'not_found' });
  await undisturbed(t, on);
});
