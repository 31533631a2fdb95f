import type { JWTPayload } from 'jose';
import { generateKeyPair, SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { keptLog } from '../support/log.js';
import { peer, plainPeer } from '../support/peer.js';
import type { HandshakeInit, RawResponse } from '../support/raw-socket.js';
import { handshake, rawConnect } from '../support/raw-socket.js';
import { secret as asSecret } from '../support/secrets.js';
import type { Scene, SceneOptions } from './scene.js';
import { isProblem, ours, refused, scene, undisturbed } from './scene.js';

const SECRET = asSecret('the secret of these tests, longer than thirty-two bytes');
const UNAUTHENTICATED = { status: 401, code: 'unauthenticated' } as const;
const FORBIDDEN = { status: 403, code: 'forbidden' } as const;
const ORIGIN = 'https://good.example';

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

function sign(
  claims: { readonly [Claim in keyof JWTPayload]: unknown } = {},
  alg = 'HS256',
  secret = SECRET,
): Promise<string> {
  const all = { sub: 'ann', exp: inAnHour(), ...claims } as JWTPayload; // claims of the wrong type are the point
  const signed = new SignJWT(all).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
  return signed.then(asSecret);
}

/** A token that nobody signed, or that has a signature of the test's choice. */
function unsigned(header: object, claims: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const protocolsWith = (token: string) => [
  'earshot.v1.json',
  `earshot.bearer.${Buffer.from(token).toString('base64url')}`,
];

/** A server that takes tokens, and a bystander that has one. */
async function guarded(t: Test, options: EarshotOptions = {}, more: SceneOptions = {}): Promise<Scene> {
  const bystander = { headers: bearer(await sign({ sub: 'bystander' })) };
  const { token, ...others } = options;
  const all = { dev: false, origins: [ORIGIN], token: { secret: SECRET, ...token }, ...others };
  return scene(t, all, { ...more, bystander });
}

/** The answer to a handshake, be it the upgrade. */
async function answer(t: Test, { port }: Scene, bytes: string): Promise<RawResponse> {
  const raw = await rawConnect(t, port);
  await raw.send(bytes);
  const response = await raw.response();
  raw.socket.destroy();
  return response;
}

/** A plain request; `init` as of a handshake. */
async function get(t: Test, on: Scene, path: string, { headers = {}, ...init }: HandshakeInit = {}) {
  const usual = { connection: 'close', upgrade: undefined };
  const ws = { 'sec-websocket-key': undefined, 'sec-websocket-version': undefined };
  return answer(t, on, handshake({ path, ...init, headers: { ...usual, ...ws, ...headers } }));
}

t.test('token / each way that it may travel → who it names reaches welcome', async (t) => {
  const on = await guarded(t, { token: { secret: SECRET, cookie: 'sid', query: true } });
  const token = await sign({ sub: 'u-1', name: 'Ann' });
  const ways = {
    header: peer(t, on.wsUrl, { headers: bearer(token) }),
    'header, its scheme in lower case': peer(t, on.wsUrl, { headers: { authorization: `bearer  ${token}` } }),
    subprotocol: peer(t, on.wsUrl, { protocol: protocolsWith(token) }),
    'subprotocol, offered first': peer(t, on.wsUrl, { protocol: protocolsWith(token).reverse() }),
    cookie: peer(t, on.wsUrl, { headers: { cookie: `a=b; sid=${token}; c`, origin: ORIGIN } }),
    query: peer(t, `${on.wsUrl}?a=b&token=${token}`),
  };
  for (const [way, connecting] of Object.entries(ways)) {
    const client = await connecting;
    t.match(await client.next('welcome'), { user: 'u-1', name: 'Ann' }, way);
    t.equal(client.socket.protocol, 'earshot.v1.json', way);
  }
});

t.test('token / offered as a subprotocol → is never echoed, whatever else is offered', async (t) => {
  const on = await guarded(t, { plainChannel: 'lobby' });
  const token = await sign();
  const [, offered = ''] = protocolsWith(token);
  for (const protocols of [[offered], [offered, 'earshot.v1.json'], ['earshot.v1.json', offered]]) {
    const { status, headers } = await answer(t, on, ours({ protocols }));
    t.equal(status, 101);
    t.equal(headers['sec-websocket-protocol'], protocols.length > 1 ? 'earshot.v1.json' : undefined);
    t.notOk(JSON.stringify(headers).includes(offered));
  }
  const plain = await plainPeer(t, on.wsUrl, { headers: bearer(await sign({ name: 'Ann' })) });
  t.equal(await plain.next(), 'Welcome Ann');
});

t.test(
  'token / not good in any way → 401 with www-authenticate, and the same from /v1/session',
  async (t) => {
    const on = await guarded(t);
    const good = await sign();
    const rsa = await generateKeyPair('RS256');
    const claims = { sub: 'ann', exp: inAnHour() };
    const tokens: Record<string, string> = {
      'alg none': unsigned({ alg: 'none' }, claims),
      'alg None': unsigned({ alg: 'None' }, claims),
      'alg none, with a signature': unsigned({ alg: 'none' }, claims, 'AAAA'),
      'no signature': `${good.split('.').slice(0, 2).join('.')}.`,
      'another secret': await sign({}, 'HS256', 'another secret of these tests, as long as that one'),
      HS512: await sign({}, 'HS512'),
      HS384: await sign({}, 'HS384'),
      RS256: await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey),
      'RS256 by its header alone': unsigned({ alg: 'RS256' }, claims, good.split('.')[2]),
      'a critical header that nobody knows': unsigned({ alg: 'HS256', crit: ['x'], x: 1 }, claims, 'AAAA'),
      'claims that were changed': good.replace(
        /\.[^.]*\./,
        `.${unsigned({}, { ...claims, sub: 'bob' }).split('.')[1]}.`,
      ),
      'no exp': await sign({ exp: undefined }),
      'exp as a string': await sign({ exp: String(inAnHour()) }),
      'exp in the past': await sign({ exp: Math.floor(Date.now() / 1000) - 5 }),
      'nbf ahead': await sign({ nbf: inAnHour() }),
      'no sub': await sign({ sub: undefined }),
      'an empty sub': await sign({ sub: '' }),
      'a sub that is a number': await sign({ sub: 7 }),
      'a sub of 300 characters': await sign({ sub: 'a'.repeat(300) }),
      '10 KB of garbage': 'a'.repeat(10_240),
      '10 KB with two dots': `${'a'.repeat(5000)}.${'b'.repeat(5000)}.c`,
      garbage: 'garbage',
      dots: '..',
      'five parts': 'a.b.c.d.e',
    };
    for (const [name, token] of Object.entries(tokens)) {
      await t.test(name, async (t) => {
        const { headers, body } = await refused(t, on, ours({ headers: bearer(token) }), UNAUTHENTICATED);
        t.equal(headers['www-authenticate'], 'Bearer');
        t.match(JSON.parse(body), { advice: 'refresh' });
        t.notOk(token.length > 2 && body.includes(token), 'the token is not told back');
        const session = await get(t, on, '/v1/session', { headers: bearer(token) });
        isProblem(t, session, UNAUTHENTICATED);
        t.equal(session.headers['www-authenticate'], 'Bearer');
        t.equal(JSON.parse(session.body).detail, JSON.parse(body).detail, 'for the same reason');
      });
    }
  },
);

t.test('token / none, or one in a place that is not taken → 401', async (t) => {
  const on = await guarded(t);
  const token = await sign();
  const inits: Record<string, HandshakeInit> = {
    none: {},
    'query, which is off': { path: `/ws?token=${token}` },
    'a cookie, which is off': { headers: { cookie: `token=${token}; sid=${token}`, origin: ORIGIN } },
    Basic: { headers: { authorization: `Basic ${token}` } },
    'no scheme': { headers: { authorization: token } },
    'an empty Bearer': { headers: { authorization: 'Bearer ' } },
    'an empty subprotocol token': { protocols: ['earshot.v1.json', 'earshot.bearer.'] },
    'a subprotocol token that is no base64url': { protocols: ['earshot.v1.json', `earshot.bearer.a.b`] },
    'a bad header before a good subprotocol': { headers: bearer('bad'), protocols: protocolsWith(token) },
  };
  for (const [name, init] of Object.entries(inits)) {
    await t.test(name, async (t) => {
      await refused(t, on, ours(init), UNAUTHENTICATED);
    });
  }
});

t.test('token / large but good → is taken', async (t) => {
  const on = await guarded(t);
  const client = await peer(t, on.wsUrl, { headers: bearer(await sign({ large: 'a'.repeat(7000) })) });
  t.match(await client.next('welcome'), { user: 'ann', name: 'ann' });
});

t.test('token / names that break lines or have no end → are made one line, of bounded length', async (t) => {
  const on = await guarded(t);
  const nameOf = async (name: unknown) => {
    const client = await peer(t, on.wsUrl, { headers: bearer(await sign({ name })) });
    return (await client.next('welcome')).name;
  };
  t.equal(await nameOf('a\r\nb\u0000c\u0085d'), 'a  b c d');
  t.equal(await nameOf('a'.repeat(1000)), 'a'.repeat(128));
  t.equal(await nameOf(''), 'ann');
  t.equal(await nameOf({ first: 'Ann' }), 'ann');
});

t.test(
  'cookie / a GET of the page itself, for which browsers send no Origin → taken at their word',
  async (t) => {
    const { url } = await guarded(t, { token: { secret: SECRET, cookie: 'sid' } });
    const cookie = `sid=${await sign()}`;
    const ask = async (site: string) =>
      (await fetch(`${url}/v1/session`, { headers: { cookie, 'sec-fetch-site': site } })).status;
    t.equal(await ask('same-origin'), 200);
    for (const site of ['same-site', 'cross-site', 'none']) t.equal(await ask(site), 403, site);
  },
);

t.test('cookie / without an Origin, or from a page that is not on the list → 403', async (t) => {
  const on = await guarded(t, { token: { secret: SECRET, cookie: 'sid' } });
  const cookie = `sid=${await sign()}`;
  await refused(t, on, ours({ headers: { cookie } }), FORBIDDEN);
  await refused(t, on, ours({ headers: { cookie, origin: 'https://evil' } }), FORBIDDEN);
  await refused(t, on, ours({ headers: { cookie: 'sid=bad', origin: ORIGIN } }), UNAUTHENTICATED);
  await refused(t, on, ours({ headers: { cookie: 'xsid=a; sidx=b; sid', origin: ORIGIN } }), UNAUTHENTICATED);
  t.equal((await answer(t, on, ours({ headers: { cookie, origin: ORIGIN } }))).status, 101);
});

t.test('server / it takes no tokens → one that comes is refused, not ignored', async (t) => {
  const on = await scene(t);
  await refused(t, on, ours({ headers: bearer(await sign()) }), UNAUTHENTICATED);
});

t.test('anonymous / admitted → a random name, and policy refuses it everything', async (t) => {
  const on = await guarded(t, { anonymous: true, plainChannel: 'lobby' });
  const client = await peer(t, on.wsUrl);
  t.match(await client.next('welcome'), { user: null, name: /^guest-[0-9a-f]{8}$/ });
  for (const type of ['subscribe', 'history', 'presence'] as const) {
    t.match(await client.call({ type, channel: 'a' }), { code: 'forbidden', advice: 'never' });
  }
  t.match(await client.call({ type: 'publish', channel: 'a', data: 1 }), { code: 'forbidden' });
  const plain = await plainPeer(t, on.wsUrl);
  t.match(await plain.next(), /^Welcome guest-/);
  t.match(await plain.closed, { code: 4403 });
});

t.test('policy / it throws → internal, logged, and the session goes on', async (t) => {
  const { logger, text } = keptLog('error');
  const on = await scene(
    t,
    { hooks: { authorize: () => Promise.reject(new Error('the policy is broken')) } },
    { app: { logger } },
  );
  t.match(await on.bystander.call({ type: 'subscribe', channel: 'a' }), {
    code: 'internal',
    advice: 'retry',
  });
  await undisturbed(t, on);
  t.match(text(), 'the policy is broken');
});

t.test('subprotocol / none offered, and no plain channel → 400', async (t) => {
  const on = await guarded(t);
  const headers = bearer(await sign());
  await refused(t, on, ours({ protocols: [], headers }), { status: 400, code: 'bad_handshake' });
  const withoutPlain = await scene(t, { plainChannel: false });
  await refused(t, withoutPlain, ours({ protocols: [] }), { status: 400, code: 'bad_handshake' });
});

t.test('limits / the server is full → 503, for how many there were at once', async (t) => {
  const on = await scene(t, { limits: { maxSessions: 3 } });
  const answers = await Promise.all(Array.from({ length: 8 }, () => keepOpen(t, on)));
  t.strictSame(answers.sort(), [101, 101, 503, 503, 503, 503, 503, 503]);
  const { headers } = await refused(t, on, ours(), { status: 503, code: 'unavailable' });
  t.match(headers['retry-after'], /^\d+$/);
  isProblem(t, await get(t, on, '/v1/session'), { status: 503, code: 'unavailable' });
});

t.test('limits / one address has too many → 429, until one of them is gone', async (t) => {
  const on = await scene(t, { limits: { perAddress: { maxSessions: 2 } } });
  const second = await peer(t, on.wsUrl);
  const { headers } = await refused(t, on, ours(), { status: 429, code: 'too_many' });
  t.match(headers['retry-after'], /^\d+$/);
  const forged = ours({ headers: { 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1' } });
  await refused(t, on, forged, { status: 429, code: 'too_many' });
  second.socket.close();
  await on.metricReaches(1, 'earshot_closes_total');
  t.equal(await keepOpen(t, on), 101);
});

t.test('session / asked over HTTP → who the caller is taken to be', async (t) => {
  const on = await guarded(t);
  const exp = inAnHour();
  const { status, headers, body } = await get(t, on, '/v1/session', {
    headers: bearer(await sign({ exp, name: 'Ann' })),
  });
  t.equal(status, 200);
  t.equal(headers['cache-control'], 'no-store');
  t.strictSame(JSON.parse(body), {
    user: 'ann',
    name: 'Ann',
    expiresAt: exp * 1000,
    protocol: 'earshot.v1.json',
    limits: {
      maxFrameBytes: 65_536,
      maxDataDepth: 64,
      maxSubscriptions: 128,
      commandsPerSecond: 100,
      commandBurst: 200,
      historyPage: 1000,
    },
  });
  isProblem(t, await get(t, on, '/v1/session'), UNAUTHENTICATED);
  const foreign = { origin: 'https://evil', ...bearer(await sign()) };
  isProblem(t, await get(t, on, '/v1/session', { headers: foreign }), FORBIDDEN);
});

t.test('session / asked by a page of an allowed Origin → it may read the answer, refusals too', async (t) => {
  const on = await guarded(t, { token: { secret: SECRET, cookie: 'sid' } });
  const allowed = { 'access-control-allow-origin': ORIGIN, 'access-control-allow-credentials': 'true' };
  const none = { 'access-control-allow-origin': undefined, vary: 'Origin' };
  const origin = { origin: ORIGIN };
  t.match(
    (await get(t, on, '/v1/session', { headers: { ...origin, ...bearer(await sign()) } })).headers,
    allowed,
  );
  t.match((await get(t, on, '/v1/session', { headers: origin })).headers, { ...allowed, vary: 'Origin' });
  t.match((await get(t, on, '/v1/session', { headers: { origin: 'https://evil' } })).headers, none);
  t.match((await get(t, on, '/v1/session')).headers, none);
  const ask = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
  const preflight = await get(t, on, '/v1/session', { method: 'OPTIONS', headers: { ...origin, ...ask } });
  t.equal(preflight.status, 204);
  t.match(preflight.headers, { ...allowed, 'access-control-allow-headers': /authorization/ });
  const foreign = await get(t, on, '/v1/session', { method: 'OPTIONS', headers: { origin: 'null', ...ask } });
  t.match(foreign.headers, none);
});

t.test('session / its token expires → bye, 4401; one that was renewed goes on', async (t) => {
  const on = await guarded(t, { pingIntervalMs: 100 });
  await on.bystander.call({ type: 'subscribe', channel: 'room', presence: true });
  const headers = bearer(await sign({ exp: Date.now() / 1000 + 4 }));
  const [expiring, renewed] = [await peer(t, on.wsUrl, { headers }), await peer(t, on.wsUrl, { headers })];
  await expiring.call({ type: 'subscribe', channel: 'room' });
  const exp = inAnHour();
  t.match(await renewed.call({ type: 'authenticate', token: await sign({ exp }) }), {
    type: 'authenticated',
    user: 'ann',
    expiresAt: exp * 1000,
  });
  const others = await sign({ sub: 'bob' });
  t.match(await renewed.call({ type: 'authenticate', token: others }), {
    code: 'forbidden',
    advice: 'never',
  });
  t.match(await renewed.call({ type: 'authenticate', token: 'bad' }), {
    code: 'unauthenticated',
    advice: 'refresh',
  });
  t.match(await expiring.next('bye'), { code: 'unauthenticated', advice: 'refresh', afterMs: undefined });
  t.match(await expiring.closed, { code: 4401 });
  t.match(await on.bystander.next('left'), { cause: 'expired', member: { user: 'ann' } });
  t.match(await renewed.call({ type: 'ping' }), { type: 'pong' });
});

t.test('log / tokens good and bad, by every way → it holds none of them', async (t) => {
  const { logger, text } = keptLog('trace');
  const options = { token: { secret: SECRET, cookie: 'sid', query: true } };
  const on = await guarded(t, options, { app: { logger } });
  const expired = await sign({ exp: 1 });
  for (const token of [await sign({ marker: 'a' }), expired, 'garbage-that-would-be-seen']) {
    const encoded = Buffer.from(token).toString('base64url');
    await answer(t, on, ours({ headers: bearer(token) }));
    await answer(t, on, ours({ protocols: protocolsWith(token) }));
    await answer(t, on, ours({ headers: { cookie: `sid=${token}`, origin: ORIGIN } }));
    await answer(t, on, ours({ path: `/ws?token=${token}` }));
    await get(t, on, '/v1/session', { headers: bearer(token) });
    await get(t, on, `/v1/session?token=${token}`);
    await get(t, on, `/ws?token=${token}`);
    t.match(await on.bystander.call({ type: 'authenticate', token }), { type: 'error' });
    t.notOk(text().includes(token), 'the token');
    t.notOk(text().includes(encoded), 'the token in base64url');
  }
  t.notOk(text().includes(SECRET));
});

/** The status of a handshake; where it is the upgrade, it stays open to the end of the test. */
async function keepOpen(t: Test, { port }: Scene): Promise<number> {
  const raw = await rawConnect(t, port);
  await raw.send(ours());
  return (await raw.response()).status;
}
