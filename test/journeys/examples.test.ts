import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { startChild } from '../support/child.js';
import { peer } from '../support/peer.js';
import { handshake, rawConnect } from '../support/raw-socket.js';
import { ROOT } from '../support/spawn.js';

const EXAMPLES = join(ROOT, 'docs', 'examples');

/** A running example, on a port that it took itself. */
async function example(t: Test, name: string) {
  const child = await startChild(t, process.execPath, [join(EXAMPLES, `${name}.js`)], { env: { PORT: '0' } });
  const [, url = ''] = await child.says(/^listening on (http:\/\/127\.0\.0\.1:\d+)\n/);
  const { host, port } = new URL(url);
  const post = (path: string, body?: object, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
  /** The answer to an upgrade that carries these headers. */
  const upgrade = async (headers: Record<string, string>) => {
    const raw = await rawConnect(t, Number(port));
    await raw.send(handshake({ path: '/ws', protocols: ['earshot.v1.json'], headers: { host, ...headers } }));
    const { status, body } = await raw.response();
    return { status, problem: body === '' ? undefined : JSON.parse(body) };
  };
  /** SIGTERM → exit 0, with nothing said but the address. */
  const endsWell = async () => {
    t.strictSame(await child.stop(), { code: 0, signal: null });
    t.equal(child.said(), `listening on ${url}\n`);
  };
  return { url, wsUrl: `${url.replace('http', 'ws')}/ws`, post, upgrade, child, endsWell };
}

/** The cookie of an answer, as a browser would send it back. */
function cookieOf(response: Response): string {
  const [cookie = ''] = response.headers.getSetCookie();
  return cookie.split(';', 1)[0] ?? '';
}

t.test('docs/examples / each of them → is tried here', async (t) => {
  t.strictSame(readdirSync(EXAMPLES).sort(), ['bare-http.js', 'cookie-sessions.js', 'jwt.js']);
});

t.test('cookie-sessions.js / log in, connect, publish, log out → as a user would', async (t) => {
  const { url, wsUrl, post, upgrade, endsWell } = await example(t, 'cookie-sessions');
  const login = await post('/login', { id: 'ann', name: 'Ann' });
  t.equal(login.status, 200);
  const [setCookie = ''] = login.headers.getSetCookie();
  t.match(setCookie, /HttpOnly/);
  t.match(setCookie, /SameSite=Lax/);
  const cookie = cookieOf(login);

  await t.test('without the cookie, or with one that nobody signed → 401', async (t) => {
    const unauthenticated = { status: 401, problem: { code: 'unauthenticated', advice: 'refresh' } };
    t.match(await upgrade({ origin: url }), unauthenticated);
    t.match(await upgrade({ origin: url, cookie: 'sessionId=made.up' }), unauthenticated);
  });

  await t.test("with the cookie, from another site's page → 403", async (t) => {
    const forbidden = { status: 403, problem: { code: 'forbidden' } };
    t.match(await upgrade({ origin: 'https://evil.example', cookie }), forbidden);
    t.match(await upgrade({ origin: 'null', cookie }), forbidden);
  });

  const ann = await peer(t, wsUrl, { headers: { cookie, origin: url } });
  t.match(await ann.next('welcome'), { user: 'ann', name: 'Ann' });

  await t.test('a message → published under the name of the session', async (t) => {
    await ann.call({ type: 'subscribe', channel: 'chat/lobby' });
    await ann.call({ type: 'publish', channel: 'chat/lobby', data: { text: 'hello' } });
    t.match(await ann.next('message'), { from: 'Ann', data: { text: 'hello' } });
  });

  await t.test('what breaks the schema → bad_data, which names the place', async (t) => {
    const publish = (data: unknown) => ann.call({ type: 'publish', channel: 'chat/lobby', data });
    t.match(await publish({ text: 5 }), { code: 'bad_data', details: [/^data\.text: /] });
    t.match(await publish({ text: '' }), { code: 'bad_data', details: [/^data\.text: /] });
    t.match(await publish({ text: 'a', html: 'b' }), { code: 'bad_data', details: [/^data: .*html/] });
  });

  await t.test(
    'its own channel → read; of another user, or in no line of the table → forbidden',
    async (t) => {
      const read = await ann.call({ type: 'history', channel: 'user/ann/logins' });
      t.match(read, { messages: [{ from: 'server', data: { from: '127.0.0.1' } }] });
      const forbidden = { code: 'forbidden', advice: 'never' };
      t.match(await ann.call({ type: 'subscribe', channel: 'user/bob/logins' }), forbidden);
      t.match(await ann.call({ type: 'publish', channel: 'user/ann/logins', data: 1 }), forbidden);
      t.match(await ann.call({ type: 'subscribe', channel: 'elsewhere' }), forbidden);
    },
  );

  await t.test('a login with a cookie of before → another cookie, and that one lets nobody in', async (t) => {
    const planted = cookieOf(await post('/login', { id: 'eve' }));
    const own = cookieOf(await post('/login', { id: 'bob' }, { cookie: planted }));
    t.match(await upgrade({ origin: url, cookie: planted }), { status: 401 });
    const bob = await peer(t, wsUrl, { headers: { cookie: own, origin: url } });
    t.match(await bob.next('welcome'), { user: 'bob', name: 'bob' });
  });

  await t.test('log out → that session ends, and the cookie is worth nothing', async (t) => {
    t.equal((await post('/logout', undefined, { cookie })).status, 204);
    t.match(await ann.next('bye'), { code: 'forbidden', advice: 'never' });
    t.match(await ann.closed, { code: 4403 });
    t.match(await upgrade({ origin: url, cookie }), { status: 401 });
  });

  await endsWell();
});

t.test('jwt.js / a token, its renewal, and its end → as a user would', async (t) => {
  const { url, wsUrl, post, upgrade, endsWell } = await example(t, 'jwt');
  const tokenOf = async (body: object): Promise<string> => {
    const { token } = (await (await post('/token', body)).json()) as { token: string };
    return token;
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const token = await tokenOf({ id: 'ann', room: 'red' });

  await t.test('without a token, or with one that was changed → 401', async (t) => {
    const unauthenticated = { status: 401, problem: { code: 'unauthenticated', advice: 'refresh' } };
    t.match(await upgrade({}), unauthenticated);
    const [head = '', claims = '', signature = ''] = token.split('.');
    const others = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...others, sub: 'eve' })).toString('base64url');
    t.match(await upgrade(bearer(`${head}.${forged}.${signature}`)), unauthenticated);
  });

  await t.test("another site's page → 403, token or not", async (t) => {
    t.match(await upgrade({ ...bearer(token), origin: 'https://evil.example' }), { status: 403 });
  });

  // A browser can set no header: it offers the token as a subprotocol.
  const offered = `earshot.bearer.${Buffer.from(token).toString('base64url')}`;
  const ann = await peer(t, wsUrl, { protocol: ['earshot.v1.json', offered], headers: { origin: url } });
  t.match(await ann.next('welcome'), { user: 'ann', name: 'ann' });

  await t.test('what `channels` says → allowed, and nothing else', async (t) => {
    t.match(await ann.call({ type: 'subscribe', channel: 'chat/red' }), { type: 'subscribed' });
    t.match(await ann.call({ type: 'publish', channel: 'chat/red', data: 'hi' }), { type: 'published' });
    t.match(await ann.next('message'), { from: 'ann', data: 'hi' });
    t.match(await ann.call({ type: 'subscribe', channel: 'user/ann/inbox' }), { type: 'subscribed' });
    for (const channel of ['chat/blue', 'user/bob/inbox', 'elsewhere']) {
      t.match(await ann.call({ type: 'subscribe', channel }), { code: 'forbidden' }, channel);
    }
  });

  await t.test('what the table says → holds all the same', async (t) => {
    const long = { type: 'publish', channel: 'chat/red', data: 'x'.repeat(2000) } as const;
    t.match(await ann.call(long), { code: 'too_large' });
  });

  await t.test('a token for another room → renewed in place; what it no longer allows ends', async (t) => {
    const renewed = await ann.call({
      type: 'authenticate',
      token: await tokenOf({ id: 'ann', room: 'blue' }),
    });
    t.match(renewed, { type: 'authenticated', user: 'ann', expiresAt: Number });
    t.match(await ann.next('unsubscribed'), { channel: 'chat/red', code: 'forbidden' });
    t.match(await ann.call({ type: 'subscribe', channel: 'chat/blue' }), { type: 'subscribed' });
    const others = { type: 'authenticate', token: await tokenOf({ id: 'bob' }) } as const;
    t.match(await ann.call(others), { code: 'forbidden' }, 'it stays the same user');
  });

  await t.test('log out → sessions end with 4401, and tokens of before are refused', async (t) => {
    t.equal((await post('/logout')).status, 401, 'nobody');
    t.equal((await post('/logout', undefined, bearer(token))).status, 204);
    t.match(await ann.next('bye'), { code: 'unauthenticated', advice: 'refresh' });
    t.match(await ann.closed, { code: 4401 });
    t.match(await upgrade(bearer(token)), { status: 401, problem: { detail: /revoked/ } });
    t.match(await upgrade(bearer(await tokenOf({ id: 'bob' }))), { status: 101 });
  });

  await endsWell();
});

t.test('bare-http.js / its own paths, orders, and the end → both on one port, closed in order', async (t) => {
  const { url, wsUrl, post, child, endsWell } = await example(t, 'bare-http');
  const text = async (path: string) => (await fetch(url + path)).text();
  t.equal(await text('/'), 'mine\n');
  t.equal((await fetch(`${url}/none`)).status, 404);
  t.equal(await text('/none'), 'mine\n', 'what is not found is its own as well');
  t.equal(await text('/livez'), '{"status":"ok"}');

  const reader = await peer(t, wsUrl);
  await reader.next('welcome');
  await reader.call({ type: 'subscribe', channel: 'orders' });
  const ordered = await post('/orders');
  t.equal(ordered.status, 201);
  const { offset } = (await ordered.json()) as { offset: string };
  t.match(await reader.next('message'), { offset, from: 'server', data: { state: 'placed' } });
  t.match(await reader.call({ type: 'publish', channel: 'orders', data: 1 }), { code: 'forbidden' });
  t.match(await reader.call({ type: 'subscribe', channel: 'elsewhere' }), { code: 'forbidden' });

  process.kill(child.pid, 'SIGTERM');
  t.match(await reader.next('bye'), { code: 'draining', advice: 'retry', afterMs: [Number, Number] });
  t.match(await reader.closed, { code: 1012 });
  t.strictSame(await child.ended, { code: 0, signal: null });
  await t.rejects(fetch(url), 'nobody listens any more');
  await endsWell();
});
