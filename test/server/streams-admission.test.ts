import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import type { LoggedScene } from './logged-scene.js';
import { loggedScene } from './logged-scene.js';
import { isProblem, ours, type Scene, undisturbed } from './scene.js';
import type { Sent } from './streams-scene.js';
import { ask, type bad, begin, JSON_BODY, requestText, sessionsLeft } from './streams-scene.js';

t.setTimeout(120_000);

const SECRET = secret('the secret of the admission of streams, longer than 32 bytes');
const GOOD = 'https://app.example';
const EVENTS = { accept: 'text/event-stream' };

const SSE: Sent = { path: '/v1/stream/a?offset=now&live=sse' };
const POLL: Sent = { path: '/v1/stream/a?offset=now&live=long-poll' };
const READ: Sent = { path: '/v1/read?channel=a&waitMs=60000' };
const READ_EVENTS: Sent = { path: '/v1/read?channel=a', headers: EVENTS };

/** Every way in. */
const WAYS: Readonly<Record<string, Sent | 'upgrade'>> = {
  upgrade: 'upgrade',
  'live=sse': SSE,
  'live=long-poll': POLL,
  'catch-up': { path: '/v1/stream/a' },
  POST: { method: 'POST', path: '/v1/stream/a', headers: JSON_BODY, body: '1' },
  PUT: { method: 'PUT', path: '/v1/stream/a', headers: JSON_BODY },
  DELETE: { method: 'DELETE', path: '/v1/stream/b' },
  read: READ,
  'read as events': READ_EVENTS,
  commands: { method: 'POST', path: '/v1/commands', headers: JSON_BODY, body: '[{"type":"ping","id":1}]' },
};

type Headers = Readonly<Record<string, string | undefined>>;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function tokenOf(claims: Record<string, unknown> = {}, lastsSeconds = 3600): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + lastsSeconds;
  const all = {
    sub: 'ann',
    exp,
    iat: exp - 7200,
    channels: { '**': ['subscribe', 'publish', 'history', 'manage'] },
  };
  const token = new SignJWT({ ...all, ...claims }).setProtectedHeader({ alg: 'HS256' });
  return secret(await token.sign(new TextEncoder().encode(SECRET)));
}

async function guarded(t: Test, options: EarshotOptions = {}): Promise<LoggedScene> {
  const all = { dev: false, token: { secret: SECRET, clockToleranceMs: 0 }, origins: [GOOD], ...options };
  const on = await loggedScene(t, all, { headers: bearer(await tokenOf({ sub: 'bystander' })) });
  await on.app.earshot.publish('a', 1);
  return on;
}

function sentWith(sent: Sent, headers: Headers, query = ''): Sent {
  const { path = '' } = sent;
  return {
    ...sent,
    path: path + query.replace(/^/, path.includes('?') ? '&' : '?'),
    headers: { ...sent.headers, ...headers },
  };
}

async function answerOf(t: Test, on: Scene, way: Sent | 'upgrade', headers: Headers) {
  if (way !== 'upgrade') return ask(t, on, sentWith(way, headers));
  const raw = await rawConnect(t, on.port);
  await raw.send(ours({ headers }));
  return raw.response();
}

/** It was let in: it is answered well, or waits. */
async function isLetIn(t: Test, on: Scene, sent: Sent, headers: Headers, query?: string): Promise<void> {
  const raw = await rawConnect(t, on.port);
  const before = on.app.earshot.stats().sessions;
  await raw.send(requestText(sentWith(sent, headers, query)));
  await eventually('an answer, or a session', () => {
    return raw.received().length > 0 || on.app.earshot.stats().sessions > before;
  });
  const head = raw.received().toString().slice(0, 12);
  t.ok(head === '' || /^HTTP\/1\.1 (20[014]|404)/.test(head), `let in: ${head}`);
  raw.socket.destroy();
  await sessionsLeft(on, before);
}

t.test('whoever asks, by whatever way / a token that is none or no longer good → 401', async (t) => {
  const on = await guarded(t);
  const revoked = await tokenOf({ sub: 'gone', jti: 'a token that was revoked' });
  on.app.earshot.revoke({ tokenId: 'a token that was revoked' });
  const tokens: Readonly<Record<string, Headers>> = {
    none: {},
    'another scheme': { authorization: 'Basic YW5uOnNlY3JldA==' },
    nonsense: bearer(secret('nonsense.nonsense.nonsense.nonsense')),
    'of another secret': bearer(`${await tokenOf()}x`),
    expired: bearer(await tokenOf({}, -10)),
    revoked: bearer(revoked),
  };
  for (const [way, sent] of Object.entries(WAYS)) {
    for (const [name, headers] of Object.entries(tokens)) {
      t.comment(`${way}: ${name}`);
      const response = await answerOf(t, on, sent, headers);
      isProblem(t, response, { status: 401, code: 'unauthenticated' });
      t.equal(response.headers['www-authenticate'], 'Bearer');
    }
  }
  const refusals = Object.keys(WAYS).length * Object.keys(tokens).length;
  t.equal(await on.metric('earshot_refusals_total', { reason: 'unauthenticated' }), refusals);
  await undisturbed(t, on);
});

t.test(
  'a page of a foreign Origin → 403; of one on the list → may read the answer, and no other',
  async (t) => {
    const on = await guarded(t);
    const token = await tokenOf();
    for (const [way, sent] of Object.entries(WAYS)) {
      for (const origin of ['https://evil.example', 'null', `${GOOD}.evil.example`, `${GOOD}:8443`]) {
        t.comment(`${way}: ${origin}`);
        const response = await answerOf(t, on, sent, { ...bearer(token), origin });
        isProblem(t, response, { status: 403, code: 'forbidden' });
        t.equal(response.headers['access-control-allow-origin'], undefined);
        if (sent !== 'upgrade') t.match(response.headers['vary'], /Origin/);
      }
      if (sent === 'upgrade') continue;
      await isLetIn(t, on, sent, { ...bearer(token), origin: GOOD });
      const refusedToo = await ask(t, on, sentWith(sent, { origin: GOOD }));
      t.equal(refusedToo.status, 401);
      t.equal(
        refusedToo.headers['access-control-allow-origin'],
        GOOD,
        'why it was refused, its page may read',
      );
      t.equal(refusedToo.headers['access-control-allow-credentials'], undefined);
    }
    await undisturbed(t, on);
  },
);

t.test('preflight / of each path → its methods and headers, for pages on the list', async (t) => {
  const on = await guarded(t);
  const paths = {
    '/v1/stream/a': ['GET, HEAD, POST, PUT, DELETE', /authorization.*content-type.*producer-id.*stream-ttl/],
    '/v1/read': ['GET', /authorization.*last-event-id/],
    '/v1/commands': ['GET, POST', /authorization, content-type/],
    '/v1/session': ['GET, POST', /authorization/],
  } as const;
  for (const [path, [methods, headers]] of Object.entries(paths)) {
    for (const origin of [GOOD, 'https://evil.example']) {
      const asked = { origin, 'access-control-request-method': 'GET' };
      const response = await ask(t, on, { method: 'OPTIONS', path, headers: asked });
      t.equal(response.status, 204);
      t.equal(response.headers['access-control-allow-origin'], origin === GOOD ? GOOD : undefined);
      t.equal(response.headers['access-control-allow-methods'], methods);
      t.match(response.headers['access-control-allow-headers'], headers);
      t.match(response.headers['vary'], /Origin/);
    }
  }
  const read = await ask(t, on, {
    path: '/v1/stream/a',
    headers: { ...bearer(await tokenOf()), origin: GOOD },
  });
  for (const name of [
    'stream-next-offset',
    'stream-cursor',
    'stream-closed',
    'etag',
    'retry-after',
    'location',
  ])
    t.ok(read.headers['access-control-expose-headers']?.split(', ').includes(name), `${name} may be read`);
  await undisturbed(t, on);
});

t.test(
  'a cookie / counts with an Origin on the list, or the word of the browser that the page is ours',
  async (t) => {
    const on = await guarded(t, { token: { secret: SECRET, cookie: 'sid' } });
    const cookie = `other=1; sid=${await tokenOf()}`;
    for (const [way, sent] of Object.entries(WAYS)) {
      if (sent === 'upgrade') continue;
      t.comment(way);
      await isLetIn(t, on, sent, { cookie, origin: GOOD });
      await isLetIn(t, on, sent, { cookie, 'sec-fetch-site': 'same-origin' });
      for (const headers of [
        {},
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
      ]) {
        const refused = await ask(t, on, sentWith(sent, { cookie, ...headers }));
        isProblem(t, refused, { status: 403, code: 'forbidden' });
      }
      const told = await ask(t, on, sentWith(sent, { origin: GOOD }));
      t.equal(told.headers['access-control-allow-credentials'], 'true');
      t.equal(told.headers['access-control-allow-origin'], GOOD, 'no "*" with credentials');
    }
    await undisturbed(t, on);
  },
);

t.test(
  'a token in the query / is nothing unless that is configured, and in no line of the log',
  async (t) => {
    const token = await tokenOf();
    for (const query of [false, true]) {
      const on = await guarded(t, { token: { secret: SECRET, query } });
      for (const [way, sent] of Object.entries(WAYS)) {
        if (sent === 'upgrade') continue;
        t.comment(way);
        const asked = sentWith(sent, {}, `token=${token}`);
        if (query) await isLetIn(t, on, sent, {}, `token=${token}`);
        else isProblem(t, await ask(t, on, asked), { status: 401, code: 'unauthenticated' });
      }
      await ask(t, on, { path: `/v1/stream/%ff?token=${token}` });
      await ask(t, on, { path: `/nowhere?token=${token}` });
      const lines = on.lines();
      t.ok(lines.length > 0);
      t.notOk(
        lines.some((line) => line.includes(token)),
        'no line has the token',
      );
      await undisturbed(t, on);
    }
  },
);

t.test('a token that expires / ends a stream of events, and a long-poll with 401', async (t) => {
  const on = await guarded(t, { token: { secret: SECRET, clockToleranceMs: 0 } });
  const headers = bearer(await tokenOf({}, 3));
  const poll = await begin(t, on, sentWith(POLL, headers));
  const events = await begin(t, on, sentWith(SSE, headers));
  const several = await begin(t, on, sentWith(READ_EVENTS, headers));
  isProblem(t, await poll.response(20_000), { status: 401, code: 'unauthenticated' });
  t.equal((await events.response()).status, 200, 'it ends in order');
  t.match((await several.response()).body, /"type":"bye","code":"unauthenticated"/);
  await sessionsLeft(on, 1);
  await undisturbed(t, on);
});

t.test('revoke, and the end of a session from the server → end at once what waits', async (t) => {
  const on = await guarded(t);
  const { earshot } = on.app;
  const ends: Readonly<Record<string, readonly [end: () => void, refusal: ReturnType<typeof bad>]>> = {
    revoke: [() => void earshot.revoke({ user: 'bob' }), { status: 401, code: 'unauthenticated' }],
    end: [() => void earshot.sessions.endUser('carl'), { status: 403, code: 'forbidden' }],
  };
  for (const [name, [end, refusal]] of Object.entries(ends)) {
    const headers = bearer(await tokenOf({ sub: name === 'revoke' ? 'bob' : 'carl' }));
    const poll = await begin(t, on, sentWith(POLL, headers));
    const events = await begin(t, on, sentWith(SSE, headers));
    const several = await begin(t, on, sentWith(READ, headers));
    await eventually('their sessions', () => earshot.stats().subscriptions === 3);
    const listed = earshot.sessions.list().filter(({ user }) => user !== 'bystander');
    t.strictSame(listed.map(({ transport }) => transport).sort(), ['long-poll', 'long-poll', 'sse']);
    t.strictSame(
      listed.map(({ channels }) => channels),
      [['a'], ['a'], ['a']],
    );
    t.equal(await on.metric('earshot_sessions', { transport: 'sse' }), 1);
    t.equal(await on.metric('earshot_sessions', { transport: 'long-poll' }), 2);
    end();
    isProblem(t, await poll.response(), refusal);
    t.equal((await events.response()).status, 200);
    t.match((await several.response()).body, new RegExp(`"type":"bye","code":"${refusal.code}"`));
    await sessionsLeft(on, 1);
  }
  await undisturbed(t, on);
});

t.test('a server that ends / refuses with 503 and tells who waits when to come back', async (t) => {
  const on = await guarded(t, { drainTimeoutMs: 5000, reconnectsPerSecond: 1 });
  const headers = bearer(await tokenOf());
  const waits = [];
  for (let each = 0; each < 4; each++) waits.push(await begin(t, on, sentWith(POLL, headers)));
  await eventually('their sessions', () => on.app.earshot.stats().subscriptions === 4);
  const drained = on.app.earshot.drain();
  for (const [way, sent] of Object.entries(WAYS)) {
    t.comment(way);
    const response = await answerOf(t, on, sent, headers);
    isProblem(t, response, { status: 503, code: 'draining' });
    t.match(response.headers['retry-after'], /^\d+$/);
  }
  const told = await Promise.all(waits.map((raw) => raw.response(20_000)));
  for (const response of told) isProblem(t, response, { status: 503, code: 'draining' });
  const seconds = told.map((response) => Number(response.headers['retry-after']));
  t.ok(
    seconds.every((each) => each < 5),
    `as the plan of the drain says, not as for anybody: ${seconds}`,
  );
  await drained;
});
