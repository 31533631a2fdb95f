import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import fastify from 'fastify';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import { KeyGuard } from '../../src/server/admin/key.js';
import { createApp } from '../../src/server/app.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { earshot } from '../../src/server/plugin.js';
import { appOn } from '../support/app.js';
import { keptLog } from '../support/log.js';
import type { OpenApi } from '../support/openapi.js';
import { faultsOf, operationsOf } from '../support/openapi.js';
import type { Asked, Told } from '../support/operator.js';
import { documentAt, KEY, operatorOf } from '../support/operator.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';

const SECRET = 'a secret of tests: thirty-two bytes or more';
const ADMIN = { admin: { key: KEY } };

async function signed(sub: string, tokenId?: string): Promise<string> {
  const claims = new SignJWT({ sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h');
  if (tokenId !== undefined) claims.setJti(tokenId);
  return claims.sign(new TextEncoder().encode(SECRET));
}

/** A server with an operator's API, and somebody who asks it. */
async function operated(t: Test, options: EarshotOptions = {}, app?: Parameters<typeof appOn>[2]) {
  const on = await appOn(t, { ...ADMIN, ...options }, app);
  const operator = await operatorOf(t, on.url, options.prefix);
  return { ...on, operator, ask: operator.ask.bind(operator) };
}

/** A peer and the id of its session. */
async function admitted(t: Test, url: string, token?: string): Promise<Peer & { readonly id: string }> {
  const made = await peer(
    t,
    url,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
  const { session } = await made.next('welcome');
  return Object.assign(made, { id: session });
}

function isRefused(
  t: Test,
  told: Told,
  status: number,
  code: string,
  details?: readonly (string | RegExp)[],
): void {
  t.equal(told.status, status);
  t.match(told.body, { type: 'about:blank', status, code, ...(details && { details }) });
  t.equal(told.headers.get('content-type'), 'application/problem+json; charset=utf-8');
}

t.test('document / of the routes → it is OpenAPI 3.1, of this version, and open', async (t) => {
  const { url } = await appOn(t, ADMIN);
  const response = await fetch(`${url}/openapi.json`);
  t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
  t.equal(response.headers.get('cache-control'), 'no-store');
  const document = await documentAt(url);
  t.strictSame(faultsOf(document), []);
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.equal(document.info.version, version);
  t.match(document.components.securitySchemes, { operator: { type: 'http', scheme: 'bearer' } });
});

t.test('document / broken in one place → the checks say where', async (t) => {
  const { url } = await appOn(t, ADMIN);
  const document = await documentAt(url);
  const broken = (from: string | RegExp, to: string): readonly string[] =>
    faultsOf(JSON.parse(JSON.stringify(document).replace(from, to)) as OpenApi); // still of that shape, but for one place
  t.match(broken('"3.1.1"', '"3.0.0"'), ['openapi: 3.0.0']);
  t.match(broken('"operationId":"getStats"', '"operationId":"publish"'), ['publish is there twice']);
  t.match(broken('/sessions/{id}"', '/sessions/{no}"'), [/its path and its parameters/]);
  t.match(broken('schemas/Stats"', 'schemas/None"'), ['nothing at #/components/schemas/None']);
  t.match(broken('"operator":[]', '"nobody":[]'), ['security: no scheme nobody']);
  t.match(broken('"type":"boolean"', '"type":"bool"'), [/^Stats: /]);
});

t.test("document / its routes and Fastify's → are the same, under whatever prefix", async (t) => {
  for (const [scope, prefix] of [
    ['', ''],
    ['/host', '/rt'],
  ] as const) {
    const served: string[] = [];
    const app = fastify();
    t.teardown(() => app.close());
    app.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) served.push(`${each} ${url.replace(/:(\w+)/g, '{$1}')}`);
    });
    await app.register(async (inner) => inner.register(earshot, { dev: true, prefix, ...ADMIN }), {
      prefix: scope,
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const document = await documentAt(url + scope + prefix);
    const ours = served.filter((each) => each.includes('/v1/admin')).sort();
    t.equal(ours.length, 16);
    t.strictSame(operationsOf(document), ours);
    t.ok(ours.every((each) => each.includes(` ${scope}${prefix}/v1/admin/`)));
  }
});

for (const prefix of ['', '/rt']) {
  t.test(
    `routes / each for good${prefix && ', under a prefix'} → answers as the document says`,
    async (t) => {
      const options = { prefix, token: { secret: SECRET } };
      const { operator, ask, wsUrl } = await operated(t, options);
      t.match(await ask('GET', '/stats'), {
        status: 200,
        body: { sessions: 0, channels: 0, draining: false },
      });

      t.match(await ask('PUT', '/channel?channel=a/b'), {
        status: 201,
        body: { channel: 'a/b', messages: 0 },
      });
      t.match(await ask('PUT', '/channel?channel=a%2Fb'), { status: 200, body: { channel: 'a/b' } });
      t.match(await ask('GET', '/channel?channel=a/b'), {
        status: 200,
        body: {
          channel: 'a/b',
          contentType: 'application/json',
          lastAt: null,
          closed: false,
          subscriptions: 0,
          rule: '**',
        },
      });
      t.match(await ask('GET', '/channels'), { status: 200, body: { channels: ['a/b'], next: null } });

      const producer = { id: 'p', epoch: 0, seq: 0 };
      const message = {
        channel: 'a/b',
        data: { n: [1, null] },
        from: 'operator',
        meta: { trace: 1 },
        producer,
      };
      const first = await ask('POST', '/publish', { body: message });
      t.match(first, { status: 200, body: { offset: /./, duplicate: false } });
      const again = await ask('POST', '/publish', { body: message });
      t.strictSame(again.body, { offset: first.body.offset, duplicate: true });
      t.equal((await ask('POST', '/publish', { body: { channel: 'a/b', data: null } })).status, 200);
      const history = await ask('GET', '/history?channel=a/b&limit=1');
      t.match(history.body, { messages: [{ from: 'operator', data: { n: [1, null] }, meta: { trace: 1 } }] });
      t.equal(history.body.upToDate, false);
      const rest = await ask('GET', `/history?channel=a/b&offset=${history.body.offset}`);
      t.match(rest.body, { messages: [{ from: 'server', data: null }], upToDate: true });
      t.match(await ask('POST', '/channel/close?channel=a/b'), {
        status: 200,
        body: { offset: rest.body.offset },
      });
      t.equal((await ask('GET', '/channel?channel=a/b')).body.closed, true);
      t.match(await ask('DELETE', '/channel?channel=a/b'), { status: 204, text: '' });

      const ann = await admitted(t, wsUrl, await signed('ann'));
      await ann.call({ type: 'subscribe', channel: 'room' });
      const member = { session: ann.id, user: 'ann', name: 'ann' };
      t.strictSame((await ask('GET', '/presence?channel=room')).body, { members: [member], count: 1 });
      t.match((await ask('GET', '/sessions')).body, {
        sessions: [{ id: ann.id, channels: ['room'] }],
        next: null,
      });
      t.match(await ask('GET', `/sessions/${ann.id}`), {
        status: 200,
        body: { id: ann.id, user: 'ann', transport: 'websocket', address: '127.0.0.1' },
      });
      t.strictSame((await ask('POST', `/sessions/${ann.id}/send`, { body: { data: 1 } })).body, {
        sent: true,
      });
      const subscription = `/subscriptions?channel=room&session=${ann.id}`;
      t.strictSame((await ask('DELETE', subscription)).body, { ended: 1 });
      t.equal((await ask('DELETE', `/sessions/${ann.id}`)).status, 204);
      t.strictSame((await ask('DELETE', '/sessions?user=ann')).body, { ended: 0 });
      t.strictSame((await ask('POST', '/revoke', { body: { tokenId: 'none', until: 1 } })).body, {
        ended: 0,
      });
      t.strictSame([...operator.done].sort(), operationsOf(operator.contract.document), 'each of them');
    },
  );
}

t.test('lists / more than a page → every one once, and null at the end', async (t) => {
  const { ask, wsUrl } = await operated(t, { token: { secret: SECRET } });
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) await ask('PUT', `/channel?channel=${name}`);
  t.strictSame(await pages(ask, '/channels?limit=2'), [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  t.strictSame(await pages(ask, '/channels?limit=3'), [['a', 'b', 'c'], ['d']]);
  t.strictSame(await pages(ask, '/channels?limit=1000'), [names]);
  const ids: string[] = [];
  const token = await signed('ann');
  for (let each = 0; each < 3; each++) ids.push((await admitted(t, wsUrl, token)).id);
  await admitted(t, wsUrl);
  const ofAnn = await pages(ask, '/sessions?user=ann&limit=2');
  t.strictSame(
    ofAnn.map((page) => page.length),
    [2, 1],
  );
  t.strictSame(ofAnn.flat(), [...ids].sort());
  t.equal((await pages(ask, '/sessions?limit=1')).length, 4);
  t.strictSame(await pages(ask, '/sessions?user=nobody'), [[]]);
});

/** The names or ids of every page, one page after the other. */
async function pages(
  ask: (method: string, path: string) => Promise<Told>,
  path: string,
): Promise<string[][]> {
  const found: string[][] = [];
  for (let after = ''; ; ) {
    const { channels, sessions = [], next } = (await ask('GET', path + after)).body;
    found.push([...(channels ?? sessions.map(({ id }) => id))]);
    if (next === null) return found;
    after = `&after=${next}`;
  }
}

/** A request of each route that is good but for the key. */
const REQUESTS: readonly (readonly [method: string, target: string, asked?: Asked])[] = [
  ['GET', '/stats'],
  ['GET', '/channels'],
  ['GET', '/channel?channel=a'],
  ['PUT', '/channel?channel=a'],
  ['POST', '/channel/close?channel=a'],
  ['DELETE', '/channel?channel=a'],
  ['POST', '/publish', { body: { channel: 'a', data: 1 } }],
  ['GET', '/history?channel=a'],
  ['GET', '/presence?channel=a'],
  ['GET', '/sessions'],
  ['GET', '/sessions/x'],
  ['DELETE', '/sessions/x'],
  ['DELETE', '/sessions?user=u'],
  ['DELETE', '/subscriptions?channel=a&user=u'],
  ['POST', '/sessions/x/send', { body: { data: 1 } }],
  ['POST', '/revoke', { body: { user: 'u' } }],
];

t.test(
  'key / missing, of another scheme or wrong, on every route → 401, counted, and nothing is done',
  async (t) => {
    for (const authorization of [undefined, 'Basic b3BlcmF0b3I6', 'Bearer', `Bearer ${KEY}x`]) {
      const { ask, app, metric } = await operated(t);
      for (const [method, target, asked] of REQUESTS.slice(0, 10)) {
        const told = await ask(method, target, { ...asked, headers: { authorization } });
        isRefused(t, told, 401, 'unauthenticated');
        t.equal(told.headers.get('www-authenticate'), 'Bearer');
      }
      t.equal(await metric('earshot_refusals_total', { reason: 'unauthenticated' }), 10);
      t.strictSame(await app.earshot.channels.list(), []);
    }
    const { ask } = await operated(t);
    for (const [method, target, asked] of REQUESTS.slice(10)) {
      isRefused(
        t,
        await ask(method, target, { ...asked, headers: { authorization: 'Bearer no' } }),
        401,
        'unauthenticated',
      );
    }
    t.equal(REQUESTS.length, 16);
  },
);

t.test('key / the body of a caller without it → is not read', async (t) => {
  const { port } = await operated(t);
  const raw = await rawConnect(t, port);
  await raw.send(
    'POST /v1/admin/publish HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n',
  );
  t.equal((await raw.response()).status, 401, 'before a byte of it came');
});

t.test('key / in the query, as a cookie, or as the token of a user → 401', async (t) => {
  const { ask } = await operated(t, { token: { secret: SECRET, cookie: 'sid', query: true } });
  const key = encodeURIComponent(KEY);
  isRefused(
    t,
    await ask('GET', `/stats?token=${key}`, { headers: { authorization: undefined } }),
    401,
    'unauthenticated',
  );
  isRefused(
    t,
    await ask('GET', '/stats', { headers: { authorization: undefined, cookie: `sid=${key}` } }),
    401,
    'unauthenticated',
  );
  isRefused(
    t,
    await ask('GET', '/stats', { headers: { authorization: `Bearer ${await signed('ann')}` } }),
    401,
    'unauthenticated',
  );
  t.equal(
    (await ask('GET', '/stats', { headers: { authorization: `bearer  ${KEY}` } })).status,
    200,
    'the scheme has no case',
  );
});

t.test('key / too many wrong ones from an address → 429, also for the right one; others go on', async (t) => {
  const { ask, metric } = await operated(t, { trustProxy: ['127.0.0.1'] });
  const from = (address: string, key: string) =>
    ask('GET', '/stats', { headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': address } });
  for (let each = 0; each < 10; each++)
    isRefused(t, await from('192.0.2.1', `guess ${each}`), 401, 'unauthenticated');
  const told = await from('192.0.2.1', 'guess 10');
  isRefused(t, told, 429, 'rate_limited');
  t.match(told.headers.get('retry-after'), /^\d+$/);
  isRefused(t, await from('192.0.2.1', KEY), 429, 'rate_limited');
  t.equal((await from('192.0.2.2', KEY)).status, 200);
  t.equal(await metric('earshot_refusals_total', { reason: 'rate_limited' }), 2);
  t.equal(await metric('earshot_refusals_total', { reason: 'unauthenticated' }), 10);
});

t.test(
  'key guard / as time goes by → one more guess every six seconds; right keys take nothing',
  async (t) => {
    let now = 0;
    const guard = new KeyGuard(KEY, () => now);
    const ask = (key: string) => () => guard.check(`Bearer ${key}`, 'here');
    for (let each = 0; each < 100; each++) ask(KEY)();
    for (let each = 0; each < 100; each++)
      t.throws(() => guard.check(undefined, 'here'), { code: 'unauthenticated' });
    for (let each = 0; each < 10; each++) t.throws(ask('wrong'), { code: 'unauthenticated' });
    t.throws(ask(KEY), { code: 'rate_limited' });
    now += 5999;
    t.throws(ask(KEY), { code: 'rate_limited' });
    now += 2;
    ask(KEY)();
    t.throws(ask('wrong'), { code: 'unauthenticated' });
    t.throws(ask('wrong'), { code: 'rate_limited' });
    now += 60_000;
    for (let each = 0; each < 10; each++) t.throws(ask('wrong'), { code: 'unauthenticated' });
    t.throws(ask('wrong'), { code: 'rate_limited' });
  },
);

t.test('key guard / keys of any length → compared as digests of one length, in constant time', async (t) => {
  const compared: (readonly [number, number])[] = [];
  const { KeyGuard: Watched } = await t.mockImport<typeof import('../../src/server/admin/key.js')>(
    '../../src/server/admin/key.js',
    {
      'node:crypto': {
        ...crypto,
        timingSafeEqual(a: Buffer, b: Buffer) {
          compared.push([a.length, b.length]);
          return crypto.timingSafeEqual(a, b);
        },
      },
    },
  );
  const guard = new Watched(KEY, () => 0);
  const wrong = ['', 'a', KEY.slice(0, -1), `${KEY}x`, `x${KEY}`, KEY.toUpperCase(), 'x'.repeat(10_000)];
  for (const key of wrong) t.throws(() => guard.check(`Bearer ${key}`, 'here'), { code: 'unauthenticated' });
  guard.check(`Bearer ${KEY}`, 'here');
  // `Bearer ` with nothing after it still is a key to compare
  t.strictSame(
    compared,
    Array.from({ length: wrong.length + 1 }, () => [32, 32]),
  );
});

t.test('key guard / a key beyond ASCII → its UTF-8 is taken, as clients send it', async (t) => {
  const key = 'clé secrète № 1, and more';
  const header = `Bearer ${Buffer.from(key).toString('latin1')}`; // how Node reads those bytes
  new KeyGuard(key, () => 0).check(header, 'here');
  t.throws(() => new KeyGuard(key, () => 0).check('Bearer cl secrte  1, and more', 'here'), {
    code: 'unauthenticated',
  });
});

t.test('request / a query that is not as described → 400, and each fault by its path', async (t) => {
  const { ask } = await operated(t);
  const cases: readonly (readonly [string, string, string, readonly (string | RegExp)[]])[] = [
    ['GET', '/stats?x=1', 'bad_envelope', ['query: unknown "x"']],
    ['GET', '/stats?__proto__=1', 'bad_envelope', ['query: unknown "__proto__"']],
    ['GET', '/channels?limit=0', 'bad_envelope', [/^query\.limit: /]],
    ['GET', '/channels?limit=1001', 'bad_envelope', [/^query\.limit: /]],
    ['GET', '/channels?limit=many&after=a&after=b', 'bad_envelope', [/^query\.after: /, /^query\.limit: /]],
    ['GET', '/channel', 'bad_envelope', [/^query\.channel: /]],
    ['GET', '/channel?channel=a&channel=b', 'bad_envelope', [/^query\.channel: /]],
    ['GET', '/channel?channel=a%20b', 'bad_channel', [/^query\.channel: /]],
    ['PUT', '/channel?channel=..', 'bad_channel', [/^query\.channel: /]],
    ['POST', '/channel/close?channel=%00', 'bad_channel', [/^query\.channel: /]],
    ['DELETE', `/channel?channel=${'a'.repeat(201)}`, 'bad_envelope', [/^query\.channel: /]],
    ['GET', '/history?limit=2', 'bad_envelope', [/^query\.channel: /]],
    ['GET', '/presence?channel=', 'bad_envelope', [/^query\.channel: /]],
    ['GET', '/sessions?user=', 'bad_envelope', [/^query\.user: /]],
    ['DELETE', '/sessions', 'bad_envelope', [/^query\.user: /]],
    ['DELETE', '/subscriptions?channel=a', 'bad_envelope', ['query: either user or session']],
    [
      'DELETE',
      '/subscriptions?channel=a&user=u&session=s',
      'bad_envelope',
      ['query: either user or session'],
    ],
    ['DELETE', '/subscriptions?user=u', 'bad_envelope', [/^query\.channel: /]],
    ['DELETE', '/subscriptions?channel=//&user=u', 'bad_channel', [/^query\.channel: /]],
    ['DELETE', `/sessions?user=${'u'.repeat(257)}`, 'bad_envelope', [/^query\.user: /]],
    ['GET', '/sessions/x?y=1', 'bad_envelope', ['query: unknown "y"']],
  ];
  for (const [method, target, code, details] of cases)
    isRefused(t, await ask(method, target), 400, code, details);
  const told = await ask('GET', '/history?channel=a&offset=none');
  isRefused(t, told, 400, 'bad_offset');
  t.equal(told.body.details, undefined);
});

t.test('request / a body that is not as described → 400, and each fault by its path', async (t) => {
  const { ask, app } = await operated(t);
  const cases: readonly (readonly [string, unknown, string, readonly (string | RegExp)[]])[] = [
    ['/publish', undefined, 'bad_envelope', [/^body: /]],
    ['/publish', [], 'bad_envelope', [/^body: /]],
    ['/publish', {}, 'bad_envelope', [/^body\.channel: /, 'body.data: required']],
    ['/publish', { channel: 'a', data: 1, text: 'x' }, 'bad_envelope', ['body: unknown "text"']],
    ['/publish', { channel: 'a b', data: 1 }, 'bad_channel', [/^body\.channel: /]],
    ['/publish', { channel: 'a', data: 1, from: 'x\ny' }, 'bad_envelope', [/^body\.from: /]],
    ['/publish', { channel: 'a', data: 1, from: 'x'.repeat(129) }, 'bad_envelope', [/^body\.from: /]],
    ['/publish', { channel: 'a', data: 1, meta: [] }, 'bad_envelope', [/^body\.meta: /]],
    [
      '/publish',
      { channel: 'a', data: 1, producer: { id: 'p', epoch: -1 } },
      'bad_envelope',
      [/^body\.producer\.epoch: /, /^body\.producer\.seq: /],
    ],
    ['/sessions/x/send', {}, 'bad_envelope', ['body.data: required']],
    ['/revoke', {}, 'bad_envelope', ['body: either user or tokenId']],
    ['/revoke', { user: 'u', tokenId: 't' }, 'bad_envelope', ['body: either user or tokenId']],
    ['/revoke', { user: 'u', until: 'now' }, 'bad_envelope', [/^body\.until: /]],
    ['/channel/close?channel=a', {}, 'bad_envelope', ['body: none is taken here']],
  ];
  for (const [target, body, code, details] of cases) {
    isRefused(t, await ask('POST', target, { body }), 400, code, details);
  }
  for (const text of [
    '{"channel":"a","data":',
    'data',
    '\ufeff{"channel":"a","data":1}',
    '{"channel":"a","data":1}}',
  ]) {
    isRefused(t, await ask('POST', '/publish', { text }), 400, 'bad_envelope', ['body: not JSON']);
  }
  t.strictSame(await app.earshot.channels.list(), []);
});

t.test(
  'request / JSON that is deep, huge or of another type → refused in words, and the next one is served',
  async (t) => {
    const { ask } = await operated(t, { limits: { maxFrameBytes: 4096, maxDataDepth: 8 } });
    const deep = (levels: number) => `{"channel":"a","data":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    t.equal((await ask('POST', '/publish', { text: deep(8) })).status, 200);
    isRefused(t, await ask('POST', '/publish', { text: deep(9) }), 422, 'bad_data');
    isRefused(t, await ask('POST', '/publish', { text: `{"data":${'['.repeat(4000)}` }), 422, 'bad_data');
    isRefused(t, await ask('POST', '/sessions/x/send', { text: deep(9) }), 422, 'bad_data');
    const huge = { channel: 'a', data: 'x'.repeat(4096) };
    isRefused(t, await ask('POST', '/publish', { body: huge }), 413, 'too_large');
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/json-patch+json',
      'application/jsonx',
    ];
    for (const type of types) {
      const told = await ask('POST', '/publish', {
        body: { channel: 'a', data: 1 },
        headers: { 'content-type': type },
      });
      isRefused(t, told, 415, 'unsupported_media');
    }
    const charset = { 'content-type': 'application/json; charset=utf-8' };
    t.equal(
      (await ask('POST', '/publish', { body: { channel: 'a', data: 1 }, headers: charset })).status,
      200,
    );
    const bodiless = { headers: { 'content-type': 'application/json' } };
    t.equal(
      (await ask('DELETE', '/channel?channel=a', bodiless)).status,
      204,
      'a type of no body does no harm',
    );
  },
);

t.test('request / what is not there, or stands against it → its code', async (t) => {
  const { ask } = await operated(t, { retention: { messages: 1 }, limits: { maxChannels: 3 } });
  isRefused(t, await ask('GET', '/channel?channel=none'), 404, 'not_found');
  isRefused(t, await ask('POST', '/channel/close?channel=none'), 404, 'not_found');
  isRefused(t, await ask('DELETE', '/channel?channel=none'), 404, 'not_found');
  t.match((await ask('GET', '/history?channel=none')).body, { messages: [], upToDate: true });
  t.match((await ask('GET', '/presence?channel=none')).body, { members: [], count: 0 });
  isRefused(t, await ask('GET', '/sessions/none'), 404, 'not_found');
  isRefused(t, await ask('DELETE', '/sessions/none'), 404, 'not_found');
  isRefused(t, await ask('POST', '/sessions/none/send', { body: { data: 1 } }), 404, 'not_found');
  isRefused(t, await ask('GET', '/sessions/__proto__'), 404, 'not_found');

  const publish = (seq: number, epoch = 1) =>
    ask('POST', '/publish', { body: { channel: 'a', data: seq, producer: { id: 'p', epoch, seq } } });
  const { body: first } = await publish(0);
  isRefused(t, await publish(2), 409, 'out_of_sequence');
  isRefused(t, await publish(0, 0), 403, 'fenced');
  await publish(1);
  await publish(2);
  isRefused(t, await ask('GET', `/history?channel=a&offset=${first.offset}`), 410, 'gone');
  await ask('POST', '/channel/close?channel=a');
  isRefused(t, await ask('POST', '/publish', { body: { channel: 'a', data: 1 } }), 409, 'closed');
  await ask('PUT', '/channel?channel=b');
  await ask('PUT', '/channel?channel=c');
  isRefused(t, await ask('PUT', '/channel?channel=d'), 429, 'too_many');
  isRefused(t, await ask('POST', '/publish', { body: { channel: 'd', data: 1 } }), 429, 'too_many');
});

t.test('request / another method or path → 404, without a word to pages', async (t) => {
  const { url } = await operated(t);
  const headers = { authorization: `Bearer ${KEY}`, origin: 'https://evil.example' };
  const cases = [
    ['POST', '/v1/admin/stats'],
    ['PATCH', '/v1/admin/channel?channel=a'],
    ['HEAD', '/v1/admin/stats'],
    ['OPTIONS', '/v1/admin/publish'],
    ['OPTIONS', '/v1/admin/channel'],
    ['GET', '/v1/admin'],
    ['GET', '/v1/admin/'],
    ['GET', '/v1/admin/none'],
    ['GET', '/V1/admin/stats'],
    ['GET', `/v1/admin/sessions/${'x'.repeat(200)}`],
    ['POST', '/openapi.json'],
  ];
  for (const [method = '', path = ''] of cases) {
    const response = await fetch(url + path, { method, headers });
    t.equal(response.status, 404, `${method} ${path}`);
    t.strictSame(
      [...response.headers.keys()].filter((name) => name.startsWith('access-control-')),
      [],
    );
  }
});

t.test('without the option / every path of it → is like any other', async (t) => {
  const { url } = await appOn(t, { pages: true });
  const headers = { authorization: `Bearer ${KEY}` };
  t.equal((await fetch(`${url}/openapi.json`)).status, 404);
  for (const [method, target, { body } = {}] of REQUESTS) {
    const response = await fetch(`${url}/v1/admin${target}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    t.equal(response.status, 404, `${method} ${target}`);
    t.match(await response.json(), { code: 'not_found', detail: 'there is nothing at this path' });
  }
});

t.test(
  "on a server of somebody's / with the option and without → /openapi.json is ours only with it",
  async (t) => {
    for (const options of [ADMIN, {}]) {
      const server = createServer((_request, response) => response.end('theirs'));
      const app = await createApp({ dev: true, prefix: '/rt', ...options }, { server });
      t.teardown(() => app.close());
      const port = await new Promise<number>((resolve) => {
        server.listen(0, '127.0.0.1', () => {
          const address = server.address();
          if (typeof address === 'object' && address !== null) resolve(address.port);
        });
      });
      t.teardown(() => server.closeAllConnections());
      const text = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
      const told = await text('/rt/openapi.json');
      if ('admin' in options) t.match(told, /^\{"openapi":"3\.1\.1"/);
      else t.equal(told, 'theirs');
      t.equal(await text('/openapi.json'), 'theirs');
      t.match(await text('/rt/v1/admin/stats'), 'admin' in options ? 'unauthenticated' : 'not_found');
      server.close();
    }
  },
);

t.test('two on one application / keys and channels of their own → neither opens the other', async (t) => {
  const app = fastify();
  t.teardown(() => app.close());
  const other = 'another key of the tests';
  await app.register(earshot, { dev: true, prefix: '/one', ...ADMIN });
  await app.register(earshot, { dev: true, prefix: '/two', admin: { key: other }, decorateAs: 'second' });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const one = await operatorOf(t, url, '/one');
  const two = await operatorOf(t, url, '/two');
  const headers = { authorization: `Bearer ${other}` };
  isRefused(t, await one.ask('GET', '/stats', { headers }), 401, 'unauthenticated');
  isRefused(t, await two.ask('GET', '/stats'), 401, 'unauthenticated');
  await one.ask('PUT', '/channel?channel=a');
  t.strictSame((await one.ask('GET', '/channels')).body.channels, ['a']);
  t.strictSame((await two.ask('GET', '/channels', { headers })).body.channels, []);
});

t.test('publish / a subscriber over a WebSocket → has it, byte for byte, and so has history', async (t) => {
  const { ask, wsUrl } = await operated(t);
  const reader = await admitted(t, wsUrl);
  await reader.call({ type: 'subscribe', channel: 'a' });
  const data = '{"id": 12345678901234567890, "x":1e400,"__proto__":{"y":1.0}}';
  const text = `{"data": 1, "channel":"a","d\\u0061ta": ${data} ,"from":"operator"}`;
  const { body } = await ask('POST', '/publish', { text });
  const message = await reader.next('message');
  t.match(message, { channel: 'a', from: 'operator', offset: body.offset });
  t.match(message.text, `"data":${data}`);
  t.match((await ask('GET', '/history?channel=a')).text, `"data":${data}`);
});

t.test('channel / closed, then deleted → its subscribers are told', async (t) => {
  const { ask, wsUrl } = await operated(t);
  const reader = await admitted(t, wsUrl);
  for (const channel of ['a', 'b']) {
    await ask('PUT', `/channel?channel=${channel}`);
    await reader.call({ type: 'subscribe', channel });
  }
  t.equal((await ask('GET', '/channel?channel=a')).body.subscriptions, 1);
  const { body } = await ask('POST', '/channel/close?channel=a');
  t.match(await reader.next('closed'), { channel: 'a', offset: body.offset });
  await ask('DELETE', '/channel?channel=b');
  t.match(await reader.next('unsubscribed'), { channel: 'b', code: 'gone' });
});

t.test('send / to one session → it alone has it as `direct`', async (t) => {
  const { ask, wsUrl } = await operated(t);
  const [ann, bob] = [await admitted(t, wsUrl), await admitted(t, wsUrl)];
  const body = { data: { reload: true }, from: 'operator' };
  t.strictSame((await ask('POST', `/sessions/${ann.id}/send`, { body })).body, { sent: true });
  t.match(await ann.next('direct'), body);
  await ask('POST', `/sessions/${ann.id}/send`, { body: { data: null } });
  t.match(await ann.next('direct'), { from: 'server', data: null });
  t.strictSame(await bob.fence(), []);
});

t.test('end / one session, or all of a user → closed with 4403, and nobody else', async (t) => {
  const { ask, wsUrl } = await operated(t, { token: { secret: SECRET } });
  const token = await signed('ann');
  const [first, second, third] = [
    await admitted(t, wsUrl, token),
    await admitted(t, wsUrl, token),
    await admitted(t, wsUrl, token),
  ];
  const bob = await admitted(t, wsUrl, await signed('bob'));
  await ask('DELETE', `/sessions/${first.id}`);
  t.match(await first.next('bye'), { code: 'forbidden', advice: 'never' });
  t.match(await first.closed, { code: 4403 });
  isRefused(t, await ask('GET', `/sessions/${first.id}`), 404, 'not_found');
  t.strictSame((await ask('DELETE', '/sessions?user=ann')).body, { ended: 2 });
  for (const each of [second, third]) t.match(await each.closed, { code: 4403 });
  t.strictSame(await bob.fence(), []);
  await admitted(t, wsUrl, token);
});

t.test('subscriptions / of one session, or all of a user, to a channel → end, and no others', async (t) => {
  const { ask, wsUrl } = await operated(t, { token: { secret: SECRET } });
  const token = await signed('ann');
  const [first, second] = [await admitted(t, wsUrl, token), await admitted(t, wsUrl, token)];
  const bob = await admitted(t, wsUrl, await signed('bob'));
  await ask('PUT', '/channel?channel=a/b');
  for (const each of [first, second, bob])
    for (const channel of ['a/b', 'c']) await each.call({ type: 'subscribe', channel });
  const ended = { type: 'unsubscribed', channel: 'a/b', code: 'forbidden' };
  const one = await ask('DELETE', `/subscriptions?channel=a/b&session=${first.id}`);
  t.strictSame(one.body, { ended: 1 });
  t.match(await first.next('unsubscribed'), ended);
  t.strictSame((await ask('DELETE', '/subscriptions?channel=a/b&user=ann')).body, { ended: 1 });
  t.match(await second.next('unsubscribed'), ended);
  t.strictSame((await ask('DELETE', '/subscriptions?channel=a/b&user=ann')).body, { ended: 0 });
  t.strictSame((await ask('DELETE', '/subscriptions?channel=a/b&session=none')).body, { ended: 0 });
  await ask('POST', '/publish', { body: { channel: 'c', data: 1 } });
  for (const each of [first, second, bob]) t.match(await each.next('message'), { channel: 'c', data: 1 });
  t.match((await ask('GET', '/channel?channel=a/b')).body, { subscriptions: 1 });
});

t.test("revoke / a user's tokens → their sessions close with 4401, and the token is refused", async (t) => {
  const { ask, url, wsUrl } = await operated(t, { token: { secret: SECRET } });
  const token = await signed('ann');
  const ann = await admitted(t, wsUrl, token);
  const bob = await admitted(t, wsUrl, await signed('bob'));
  const headers = { authorization: `Bearer ${token}` };
  t.equal((await fetch(`${url}/v1/session`, { headers })).status, 200);
  const { body } = await ask('POST', '/revoke', { body: { user: 'ann', until: Date.now() + 3_600_000 } });
  t.strictSame(body, { ended: 1 });
  t.match(await ann.next('bye'), { code: 'unauthenticated' });
  t.match(await ann.closed, { code: 4401 });
  const refused = await fetch(`${url}/v1/session`, { headers });
  t.equal(refused.status, 401);
  t.match(await refused.json(), { code: 'unauthenticated' });
  t.strictSame(await bob.fence(), []);
});

t.test(
  'revoke / one token by its id → its session closes with 4401, the other of the same user stays',
  async (t) => {
    const { ask, url, wsUrl } = await operated(t, { token: { secret: SECRET } });
    const [stolen, kept] = [await signed('ann', 'id-1'), await signed('ann', 'id-2')];
    const [thief, ann] = [await admitted(t, wsUrl, stolen), await admitted(t, wsUrl, kept)];
    const { body } = await ask('POST', '/revoke', { body: { tokenId: 'id-1' } });
    t.strictSame(body, { ended: 1 });
    t.match(await thief.closed, { code: 4401 });
    t.strictSame(await ann.fence(), []);
    const status = async (token: string) =>
      (await fetch(`${url}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status;
    t.strictSame([await status(stolen), await status(kept)], [401, 200]);
  },
);

t.test('drain / begun → the operator still has answers', async (t) => {
  const { ask, app } = await operated(t);
  await app.earshot.drain();
  t.match(await ask('GET', '/stats'), { status: 200, body: { draining: true } });
  t.equal((await ask('PUT', '/channel?channel=a')).status, 201);
});

t.test('failure / of the store → 500, why is in the log and not in the answer', async (t) => {
  const { logger, text } = keptLog('error');
  const { ask, app } = await operated(t, {}, { logger });
  app.earshot.store.list = async () => {
    throw new Error('the password of the store is 1234');
  };
  const told = await ask('GET', '/channels');
  isRefused(t, told, 500, 'internal');
  t.notMatch(told.text, '1234');
  t.match(text(), 'the password of the store is 1234');
});

t.test('log / keys right and wrong → it holds none of them', async (t) => {
  const { logger, text } = keptLog('trace');
  const { ask } = await operated(t, {}, { logger });
  const wrong = 'a wrong key that would be seen';
  await ask('GET', '/stats');
  await ask('GET', '/stats', { headers: { authorization: `Bearer ${wrong}` } });
  await ask('GET', '/stats?x=1');
  await ask('POST', '/publish', { text: '{' });
  t.match(text(), 'unauthenticated', 'it says what happened');
  t.notMatch(text(), KEY);
  t.notMatch(text(), wrong);
});
