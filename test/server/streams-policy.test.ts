import type { Test } from 'tap';
import t from 'tap';
import * as z from 'zod';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import type { Scene } from './scene.js';
import { isProblem, scene, undisturbed } from './scene.js';
import type { Sent } from './streams-scene.js';
import { ask, begin, JSON_BODY, post, put, sessionsLeft } from './streams-scene.js';

t.setTimeout(120_000);

/** Of a rate this low exactly one comes through while a test runs. */
const ONE = 0.001;
const ALL = ['subscribe', 'publish', 'history', 'presence', 'manage'] as const;
const EVERYBODY = { anonymous: [...ALL] };

/** What each request needs. */
const NEEDS: readonly (readonly [what: string, sent: Sent, needs: readonly (typeof ALL)[number][]])[] = [
  ['catch-up', { path: '/v1/stream/a' }, ['history']],
  ['live=long-poll', { path: '/v1/stream/a?offset=-1&live=long-poll' }, ['subscribe']],
  ['live=sse', { path: '/v1/stream/a?offset=-1&live=sse' }, ['subscribe']],
  ['read', { path: '/v1/read?channel=a' }, ['subscribe']],
  ['read with presence', { path: '/v1/read?channel=a&presence=true' }, ['subscribe', 'presence']],
  ['POST', sent('POST', '[1]'), ['publish']],
  ['POST that closes', sent('POST', '', { 'stream-closed': 'true' }), ['manage']],
  ['POST, the last', sent('POST', '[1]', { 'stream-closed': 'true' }), ['publish', 'manage']],
  ['PUT', sent('PUT', ''), ['manage']],
  ['PUT with a body', sent('PUT', '[1]'), ['manage', 'publish']],
  ['a fork', sent('PUT', '', { 'stream-forked-from': '/v1/stream/source' }, 'b'), ['manage', 'history']],
  ['DELETE', { method: 'DELETE', path: '/v1/stream/a' }, ['manage']],
];

function sent(method: string, body: string, headers: Record<string, string> = {}, channel = 'a'): Sent {
  return { method, path: `/v1/stream/${channel}`, headers: { ...JSON_BODY, ...headers }, body };
}

/** The head of what is answered: the rest may be long in coming. */
async function statusOf(t: Test, on: Scene, what: Sent): Promise<number> {
  const raw = await begin(t, on, what);
  const status = await raw.readUntil((bytes) => /^HTTP\/1\.1 (\d{3})/.exec(bytes.toString())?.[1]);
  raw.socket.destroy();
  return Number(status);
}

for (const by of ['the table', 'a hook'] as const) {
  t.test(`rights by ${by} / each request without one that it needs → 403, with them → not`, async (t) => {
    for (const [what, request, needs] of NEEDS) {
      for (const missing of [undefined, ...needs]) {
        const may = ALL.filter((action) =>
          missing === undefined ? needs.includes(action) : action !== missing,
        );
        const options: EarshotOptions =
          by === 'the table'
            ? { channels: { '**': { anonymous: may } } }
            : { hooks: { authorize: ({ action }) => may.includes(action) }, channels: { '**': EVERYBODY } };
        const on = await scene(t, options);
        for (const channel of ['a', 'source']) await on.app.earshot.publish(channel, 1);
        const status = await statusOf(t, on, request);
        if (missing === undefined) t.ok(status < 400 || status === 409, `${what}: ${status}`);
        else t.equal(status, 403, `${what} without ${missing}`);
        await sessionsLeft(on, 1);
      }
    }
  });
}

t.test('a right that is missing / tells not whether the channel is there', async (t) => {
  const on = await scene(t, { channels: { '**': {} } });
  await on.app.earshot.publish('there', 1);
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const [there, nowhere] = await Promise.all(
      ['there', 'nowhere'].map((channel) =>
        ask(t, on, {
          method,
          path: `/v1/stream/${channel}`,
          headers: JSON_BODY,
          ...(method !== 'GET' && { body: '1' }),
        }),
      ),
    );
    t.equal(there?.status, 403);
    t.equal(there?.body, nowhere?.body);
  }
});

t.test('hooks / see readers and writers over HTTP, and have their say', async (t) => {
  const seen: unknown[] = [];
  const on = await scene(t, {
    hooks: {
      onSubscribe: ({ channel, start, presence, session }) => {
        seen.push(['subscribe', channel, start, presence, typeof session]);
        return channel !== 'shut';
      },
      onPublish: ({ channel, data, session }) => {
        seen.push(['publish', channel, data, session]);
        if (data === 'no') return false;
        if (data instanceof Uint8Array) return { data: Buffer.from('changed'), from: 'host' };
        return { data: { was: data }, from: 'host', meta: { by: 'hook' } };
      },
      onDisconnect: ({ transport, cause }) => {
        seen.push(['disconnect', transport, cause]);
        return undefined;
      },
    },
  });
  await put(on, 'a');
  t.equal((await post(on, 'a', '["x","y"]')).status, 204);
  isProblem(t, await ask(t, on, sent('POST', '["z","no"]')), { status: 403, code: 'forbidden' });
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[{"was":"x"},{"was":"y"}]');
  const bytes = { 'content-type': 'application/octet-stream' };
  await put(on, 'bytes', bytes);
  t.equal((await post(on, 'bytes', 'given', bytes)).status, 204);
  t.equal(await (await fetch(`${on.url}/v1/stream/bytes`)).text(), 'changed');
  const publishes = ['x', 'y', 'z', 'no'].map((data) => ['publish', 'a', data, undefined]);
  t.strictSame(seen.splice(0), [...publishes, ['publish', 'bytes', Buffer.from('given'), undefined]]);
  await put(on, 'shut');
  isProblem(t, await ask(t, on, { path: '/v1/read?channel=a&channel=shut' }), {
    status: 403,
    code: 'forbidden',
  });
  const read = await (await fetch(`${on.url}/v1/read?channel=a&offset=-1`)).json();
  t.match(read, { envelopes: [{ from: 'host', meta: { by: 'hook' }, data: { was: 'x' } }, {}] });
  const raw = await begin(t, on, { path: '/v1/stream/a?offset=now&live=sse' });
  await raw.readUntil((text) => text.includes('streamNextOffset'));
  raw.socket.destroy();
  await eventually('its end', () => seen.length === 7);
  t.strictSame(seen, [
    ['subscribe', 'a', 'now', false, 'string'],
    ['subscribe', 'shut', 'now', false, 'string'],
    ['disconnect', 'poll', 'closed'],
    ['subscribe', 'a', '-1', false, 'string'],
    ['disconnect', 'poll', 'closed'],
    ['subscribe', 'a', 'now', false, 'string'],
    ['disconnect', 'sse', 'closed'],
  ]);
});

t.test('create / says what a POST to a stream that is not there does', async (t) => {
  for (const [create, status] of [
    ['command', 404],
    ['publish', 204],
    ['server', 404],
  ] as const) {
    const on = await scene(t, { channels: { '**': { ...EVERYBODY, create } } });
    t.equal((await post(on, 'a', '[1]')).status, status, create);
    t.equal((await fetch(`${on.url}/v1/stream/a`)).status, status === 204 ? 200 : 404);
    t.equal((await put(on, 'b', { 'stream-ttl': '60' })).status, 201, 'who may manage makes it');
    t.equal((await post(on, 'b', '[1]')).status, 204, 'and whatever it was made as, it takes messages');
    await post(on, 'b', '', { 'stream-closed': 'true' });
    const closed = await post(on, 'b', '[1]');
    t.equal(closed.status, 409);
    t.equal(closed.headers.get('stream-closed'), 'true');
  }
});

t.test('a schema / holds for each of a batch, and nothing of it is stored where one is bad', async (t) => {
  const schema = z.strictObject({ n: z.number() });
  const on = await scene(t, { channels: { '**': { ...EVERYBODY, schema } } });
  t.equal((await put(on, 'a', {}, '[{"n":1}]')).status, 201);
  const refused = await ask(t, on, sent('POST', '[{"n":2},{"n":"3"},{"m":4}]'));
  isProblem(t, refused, { status: 422, code: 'bad_data' });
  t.match(JSON.parse(refused.body), { details: [/n: /] });
  isProblem(t, await ask(t, on, sent('PUT', '[{"n":2},{}]', {}, 'b')), { status: 422, code: 'bad_data' });
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[{"n":1}]');
  t.equal((await fetch(`${on.url}/v1/stream/b`)).status, 404);
  const bytes = { 'content-type': 'application/octet-stream' };
  isProblem(t, await ask(t, on, sent('PUT', '', bytes, 'b')), { status: 409, code: 'conflict' });
});

t.test('maxMessageBytes of a channel / holds for each message of a batch', async (t) => {
  const on = await scene(t, { channels: { '**': { ...EVERYBODY, maxMessageBytes: 5 } } });
  await put(on, 'a');
  const refused = await ask(t, on, sent('POST', '["ok","longer"]', {}, 'a'));
  isProblem(t, refused, { status: 413, code: 'too_large' });
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[]', 'nothing of it');
  await undisturbed(t, on);
});

t.test('publishesPerSecond of a channel / counts each message of a batch', async (t) => {
  const on = await scene(t, { channels: { '**': { ...EVERYBODY, publishesPerSecond: 0.001 } } });
  await put(on, 'a');
  const all = await ask(t, on, sent('POST', '[1,2,3]', {}, 'a'));
  t.equal(all.status, 204, 'what is more than may come at once comes where nothing has been taken');
  const next = await ask(t, on, sent('POST', '4', {}, 'a'));
  isProblem(t, next, { status: 429, code: 'rate_limited' });
  t.match(next.headers['retry-after'], /^\d+$/);
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[1,2,3]');
  await undisturbed(t, on);
});

const LIMITS = {
  maxSessions: { perAddress: { maxSessions: 2 } },
  maxSubscriptions: { perAddress: { maxSubscriptions: 1 } },
} as const;

t.test(
  'sessions and subscriptions of one address / over WebSocket and HTTP are counted together',
  async (t) => {
    for (const [name, limits] of Object.entries(LIMITS)) {
      const on = await scene(t, { limits });
      await on.app.earshot.publish('a', 1);
      const kept = await begin(t, on, { path: '/v1/stream/a?offset=now&live=sse' });
      await kept.readUntil((bytes) => bytes.includes('streamNextOffset'));
      for (const path of [
        '/v1/stream/a?offset=now&live=sse',
        '/v1/stream/a?offset=now&live=long-poll',
        '/v1/read?channel=a',
      ]) {
        const refused = await ask(t, on, { path });
        isProblem(t, refused, { status: 429, code: 'too_many' });
        t.match(refused.headers['retry-after'], /^\d+$/, `${name}: ${path}`);
      }
      if (name === 'maxSubscriptions')
        t.match(await on.bystander.call({ type: 'subscribe', channel: 'a' }), { code: 'too_many' });
      kept.socket.destroy();
      await sessionsLeft(on, 1);
      t.equal((await ask(t, on, { path: '/v1/read?channel=a' })).status, 200, 'there is room again');
      await sessionsLeft(on, 1);
    }
  },
);

t.test('sessions of one address / that come at once, after a hook → no more than there may be', async (t) => {
  let open = () => {};
  const opened = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined);
  });
  let asked = 0;
  const onConnect = () => (asked++ === 0 ? undefined : opened);
  const on = await scene(t, { limits: { perAddress: { maxSessions: 3 } }, hooks: { onConnect } });
  await on.app.earshot.publish('a', 1);
  const all = [];
  for (let each = 0; each < 10; each++)
    all.push(await begin(t, on, { path: '/v1/stream/a?offset=now&live=sse' }));
  await eventually('their checks', () => asked === 11);
  open();
  const statuses = await Promise.all(
    all.map((raw) => raw.readUntil((bytes) => /^HTTP\/1\.1 (\d{3})/.exec(bytes.toString())?.[1])),
  );
  t.equal(statuses.filter((status) => status === '200').length, 2);
  t.equal(statuses.filter((status) => status === '429').length, 8);
});

t.test('rates of one address / over WebSocket and HTTP are counted together', async (t) => {
  const rates = { publishes: { publishesPerSecond: ONE }, bytes: { bytesPerSecond: ONE } };
  for (const [limit, perAddress] of Object.entries(rates)) {
    const on = await scene(t, { limits: { perAddress } });
    await on.app.earshot.publish('a', 1);
    t.match(await on.bystander.call({ type: 'publish', channel: 'a', data: 2 }), { type: 'published' });
    const refused = await ask(t, on, sent('POST', '3'));
    isProblem(t, refused, { status: 429, code: 'rate_limited' });
    t.equal(await on.metric('earshot_limited_total', { limit, scope: 'address' }), 1);
    t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[1,2]');
  }
  const on = await scene(t, { limits: { perAddress: { connectsPerSecond: ONE } } });
  for (const [, request] of NEEDS)
    isProblem(t, await ask(t, on, request), { status: 429, code: 'rate_limited' });
  t.equal(await on.metric('earshot_limited_total', { limit: 'connects', scope: 'address' }), NEEDS.length);
});
