import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import fastify from 'fastify';
import type { Test } from 'tap';
import t from 'tap';
import { WebSocket } from 'ws';
import type { ConnectEvent } from '../../src/index.js';
import { createApp, earshot } from '../../src/index.js';
import type { SecureTimes } from '../../src/server/http/http2-bounds.js';
import { secureServer } from '../../src/server/http/secure-server.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import type { HttpVersion } from '../support/http2.js';
import {
  askerOver,
  askHttps,
  closeOf,
  END_HEADERS,
  END_STREAM,
  FRAMES,
  fieldsOf,
  frameFrom,
  frameOf,
  http2Client,
  PREFACE,
  rawTls,
  readUntil,
} from '../support/http2.js';
import { keptLog } from '../support/log.js';
import { peer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import { runProcess } from '../support/spawn.js';
import { signed } from '../support/tokens.js';
import { tool } from '../support/tools.js';

const certificate = makeCertificate(t);
const { cert: CA, key } = certificate;
const tls = { cert: CA, key };
const client = { ca: CA };

const secureApp = (t: Test, options: EarshotOptions = {}) => appOn(t, options, { tls });

const JSON_TYPE = { 'content-type': 'application/json' };
const COMMANDS = JSON.stringify([
  { type: 'publish', id: 1, channel: 'lobby', data: 'hello' },
  { type: 'history', id: 2, channel: 'lobby' },
]);

for (const version of ['HTTP/2', 'HTTP/1.1'] as const satisfies readonly HttpVersion[]) {
  t.test(`one port / ${version} → every kind of route answers`, async (t) => {
    const admin = { key: 'a key of tests over TLS' };
    const on = await secureApp(t, { admin, pages: true });
    t.match(on.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const ask = await askerOver(t, version, on.url, CA);
    for (const path of ['/livez', '/readyz', '/health', '/metrics', '/openapi.json', '/', '/earshot.js']) {
      t.equal((await ask(path)).status, 200, path);
    }
    t.match(JSON.parse((await ask('/v1/session')).body), { user: null, protocol: 'earshot.v1.json' });
    const done = await ask('/v1/commands', { method: 'POST', headers: JSON_TYPE, body: COMMANDS });
    t.equal(done.status, 200, done.body);
    t.match(JSON.parse(done.body), [{ type: 'published', id: 1 }, { messages: [{ data: 'hello' }] }]);
    const headers = { authorization: `Bearer ${admin.key}` };
    t.equal((await ask('/v1/admin/stats', { headers })).status, 200);
    t.equal((await ask('/v1/admin/stats')).status, 401);
    const nothing = await ask('/nothing');
    t.equal(nothing.status, 404);
    t.match(nothing.headers['content-type'], /^application\/problem\+json/);
    t.equal(JSON.parse(nothing.body).code, 'not_found');
  });

  t.test(`events / ${version} → the first comes while the stream is still open`, async (t) => {
    const on = await secureApp(t);
    const path = '/v1/session?silentMs=120000';
    const headers = { accept: 'text/event-stream' };
    if (version === 'HTTP/2') {
      const { begin } = await http2Client(t, on.url, CA);
      const streams = Array.from({ length: 12 }, () => begin(path, { headers }));
      for (const stream of streams) t.match(await firstOf(stream), /^event: session\ndata:\{"user":null/);
      t.equal(on.app.earshot.heldAnswers.count, 12, 'all of them on one connection');
      for (const stream of streams) stream.close();
      await eventually('the end of them', () => on.app.earshot.heldAnswers.count === 0);
      return;
    }
    const raw = await rawTls(t, on.port, CA, 'http/1.1');
    raw.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`);
    await readUntil(raw, (bytes) => bytes.includes('event: session\n') || undefined);
    t.equal(on.app.earshot.heldAnswers.count, 1);
    raw.destroy();
    await eventually('the end of it', () => on.app.earshot.heldAnswers.count === 0);
  });
}

async function firstOf(stream: ClientHttp2Stream): Promise<string> {
  const [chunk]: Buffer[] = await once(stream, 'data');
  return String(chunk);
}

t.test('WebSocket / over TLS → what is published over HTTP/2 and here is read here', async (t) => {
  const on = await secureApp(t);
  t.match(on.wsUrl, /^wss:/);
  const reader = await peer(t, on.wsUrl, { client });
  await reader.next('welcome');
  await reader.call({ type: 'subscribe', channel: 'lobby' });
  const { ask } = await http2Client(t, on.url, CA);
  await ask('/v1/commands', { method: 'POST', headers: JSON_TYPE, body: COMMANDS });
  t.match(await reader.next('message'), { data: 'hello' });
  const large = 'x'.repeat(40_000);
  await reader.call({ type: 'publish', channel: 'lobby', data: large });
  t.match(await reader.next('message'), { data: large });
});

t.test('WebSocket / at a path that is nobody’s, over TLS → 404, and nothing is left open', async (t) => {
  const on = await secureApp(t);
  const socket = new WebSocket(`${on.wsUrl}/nobody`, { ...client });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  t.equal(response.statusCode, 404);
  response.resume();
  await on.app.close();
});

t.test('WebSocket / over HTTP/2 → not on offer, refused where asked for all the same', async (t) => {
  const on = await secureApp(t);
  const { session, ask } = await http2Client(t, on.url, CA);
  if (session.remoteSettings.maxConcurrentStreams !== 128) await once(session, 'remoteSettings');
  t.equal(session.remoteSettings.enableConnectProtocol, false);
  t.equal(session.remoteSettings.maxConcurrentStreams, 128);
  const hint = await ask('/ws');
  t.equal(hint.status, 426);
  t.equal(JSON.parse(hint.body).code, 'upgrade_required');
  t.strictSame([hint.headers.upgrade, hint.headers.connection], [undefined, undefined]);
  const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'localhost:1' });
  t.match(await once(tunnel, 'response'), [{ ':status': 405 }]);
  const extended = await rawHttp2(t, on.port);
  extended.write(headersOf({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws' }));
  t.match(await frameFrom(extended, FRAMES.reset), { streamId: 1 });
  t.equal((await ask('/livez')).status, 200);
});

/** A connection that speaks HTTP/2 in frames of its own. */
async function rawHttp2(t: Test, port: number) {
  const raw = await rawTls(t, port, CA, 'h2');
  raw.write(PREFACE);
  return raw;
}

function headersOf(fields: Readonly<Record<string, string>>, flags = END_HEADERS, streamId = 1): Buffer {
  const usual = { ':method': 'GET', ':scheme': 'https', ':authority': 'localhost', ':path': '/' };
  return frameOf(FRAMES.headers, flags, streamId, fieldsOf({ ...usual, ...fields }));
}

t.test('curl / with --http2 and with --http1.1 → both on the one port', async (t) => {
  const on = await secureApp(t);
  const url = on.url.replace('127.0.0.1', 'localhost');
  for (const [option, version] of [
    ['--http2', '2'],
    ['--http1.1', '1.1'],
  ] as const) {
    const args = ['-sS', option, '--cacert', certificate.certFile, '-w', '\n%{http_version}'];
    const said = await runProcess(tool('curl'), [...args, `${url}/v1/commands`, '-d', COMMANDS, ...TYPED]);
    t.equal(said.stderr, '');
    const [body = '', spoken] = said.stdout.split('\n');
    t.equal(spoken, version);
    t.match(JSON.parse(body), [{ type: 'published' }, { type: 'history' }]);
  }
});

const TYPED = ['--connect-to', 'localhost::127.0.0.1:', '-H', 'content-type: application/json'];

t.test('Origin / over HTTP/2 → the page of the host that is asked, and no other', async (t) => {
  const on = await secureApp(t, { dev: false, anonymous: true });
  const { ask } = await http2Client(t, on.url, CA);
  const own = await ask('/v1/session', { headers: { origin: on.url } });
  t.equal(own.status, 200, own.body);
  t.equal(own.headers['access-control-allow-origin'], on.url);
  for (const origin of ['https://foreign.example', `https://127.0.0.1:${on.port + 1}`, 'null']) {
    const { status, headers, body } = await ask('/v1/session', { headers: { origin } });
    t.strictSame([status, JSON.parse(body).code], [403, 'forbidden'], origin);
    t.equal(headers['access-control-allow-origin'], undefined);
  }
  const asked = await ask('/v1/commands', { method: 'OPTIONS', headers: { origin: on.url } });
  t.strictSame([asked.status, asked.headers['access-control-allow-origin']], [204, on.url]);
  t.equal((await askHttps(on.url, CA, '/v1/session', { headers: { origin: on.url } })).status, 200);
});

t.test('tokens / over HTTP/2, in a header and a cookie → known, each with its rules', async (t) => {
  const signedWith = secret('the secret of the tokens over HTTP/2');
  const claims = { sub: 'ann', exp: Math.floor(Date.now() / 1000) + 3600 };
  const token = signed({ alg: 'HS256' }, claims, signedWith);
  const on = await secureApp(t, { dev: false, token: { secret: signedWith, cookie: 'sid' } });
  const { ask } = await http2Client(t, on.url, CA);
  const statusOf = async (headers: Record<string, string>) => (await ask('/v1/session', { headers })).status;
  t.equal(await statusOf({}), 401);
  t.equal(await statusOf({ authorization: `Bearer ${token}` }), 200);
  const cookie = `a=b; sid=${token}`;
  t.equal(await statusOf({ cookie }), 403, 'a cookie alone may come from any page');
  t.equal(await statusOf({ cookie, 'sec-fetch-site': 'same-origin' }), 200);
  t.equal(await statusOf({ cookie, origin: on.url }), 200);
  t.equal(await statusOf({ cookie, origin: 'https://foreign.example' }), 403);
});

t.test('addresses / over HTTP/2 → of the peer, and of the client behind a trusted proxy', async (t) => {
  const seen: string[] = [];
  const hooks = { onConnect: ({ address }: { readonly address: string }) => void seen.push(address) };
  const on = await secureApp(t, { trustProxy: ['loopback'], hooks });
  const { ask } = await http2Client(t, on.url, CA);
  await ask('/v1/session');
  await ask('/v1/session', { headers: { 'x-forwarded-for': '198.51.100.7' } });
  t.strictSame(seen, ['127.0.0.1', '198.51.100.7']);
});

t.test('log / a request over HTTP/2 → its host and port, and no token', async (t) => {
  const log = keptLog();
  const on = await appOn(t, { pages: false }, { tls, logger: log.logger });
  const { ask } = await http2Client(t, on.url, CA);
  await ask('/v1/session?token=a-token-that-nobody-may-see');
  const [line] = log.lines().filter(({ msg }) => msg === 'incoming request');
  t.match(line, { req: { method: 'GET', url: '/v1/session?…', host: `127.0.0.1:${on.port}` } });
  t.match(line, { req: { remoteAddress: '127.0.0.1', remotePort: Number } });
  t.notMatch(log.text(), 'nobody-may-see');
});

t.test(
  'request / its client is gone before the checks are done → refused, and nobody is disturbed',
  async (t) => {
    const log = keptLog();
    const onConnect = async ({ request }: ConnectEvent) => {
      leaver.session.destroy();
      await once(request, 'close');
      return false;
    };
    const options = { hooks: { onConnect }, trustProxy: ['loopback'] };
    const on = await appOn(t, options, { tls, logger: log.logger });
    const leaver = await http2Client(t, on.url, CA);
    leaver.begin('/v1/session', { headers: { accept: 'text/event-stream' } }).on('error', () => {});
    await eventually('the refusal', () => log.text().includes('request: forbidden'));
    t.equal((await askHttps(on.url, CA, '/livez')).status, 200);
    t.strictSame(log.errors(), []);
  },
);

t.test('events / the client is gone before the first → nothing is held for it', async (t) => {
  const onConnect = async ({ request }: ConnectEvent) => {
    leaver.session.destroy();
    await once(request, 'close');
    return undefined;
  };
  const on = await secureApp(t, { hooks: { onConnect } });
  const leaver = await http2Client(t, on.url, CA);
  const headers = { accept: 'text/event-stream' };
  leaver.begin('/v1/session?silentMs=120000', { headers }).on('error', () => {});
  await closeOf(leaver.session);
  const { ask } = await http2Client(t, on.url, CA);
  await ask('/livez'); // after it
  t.equal(on.app.earshot.heldAnswers.count, 0);
});

t.test('body / cut off where it could be complete → is not carried out', async (t) => {
  const body = Buffer.from(JSON.stringify([{ type: 'publish', id: 1, channel: 'lobby', data: 'cut' }]));
  const cuts: Readonly<Record<string, (raw: TLSSocket) => void>> = {
    'a reset': (raw) => raw.write(frameOf(FRAMES.reset, 0, 1, Buffer.from([0, 0, 0, 8]))),
    'a reset without an error': (raw) => raw.write(frameOf(FRAMES.reset, 0, 1, Buffer.alloc(4))),
    'the end of the connection': (raw) => raw.end(),
    'the loss of the connection': (raw) => raw.destroy(),
  };
  for (const [name, cut] of Object.entries(cuts)) {
    await t.test(name, async (t) => {
      const log = keptLog();
      const on = await appOn(t, {}, { tls, logger: log.logger });
      const raw = await rawHttp2(t, on.port);
      raw.write(headersOf({ ':method': 'POST', ':path': '/v1/commands', ...JSON_TYPE }));
      raw.write(frameOf(FRAMES.data, 0, 1, body));
      await eventually('the request', () => log.text().includes('incoming request'));
      cut(raw.resume());
      await eventually('the refusal', () => log.text().includes('request: bad_envelope'));
      t.strictSame((await on.app.earshot.history('lobby')).messages, []);
      t.strictSame(log.errors(), []);
    });
  }
  await t.test('complete → is carried out', async (t) => {
    const on = await secureApp(t);
    const raw = await rawHttp2(t, on.port);
    raw.write(headersOf({ ':method': 'POST', ':path': '/v1/commands', ...JSON_TYPE }));
    raw.write(frameOf(FRAMES.data, END_STREAM, 1, body));
    await eventually('the message', async () => (await on.app.earshot.history('lobby')).messages.length > 0);
  });
});

t.test('HTTP/1.1 over TLS / what node:http refuses and bounds → so does this', async (t) => {
  const on = await secureApp(t);
  const raw = await rawTls(t, on.port, CA, 'http/1.1');
  raw.write('GET /livez HTTP/1.1\r\n\r\n');
  const [answer] = await once(raw, 'data');
  t.match(String(answer), /^HTTP\/1\.1 400 /, 'no Host');
  t.match(on.app.server, { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 72_000 });
  t.match(on.app.server, { connectionsCheckingInterval: 1000 });
});

/** No time is reached but the one that a test is about. */
const FOREVER: SecureTimes = {
  headersTimeoutMs: 600_000,
  requestTimeoutMs: 600_000,
  idleTimeoutMs: 600_000,
  stallTimeoutMs: 600_000,
  checkedEveryMs: 5,
};

/** A server that answers GET with `answer` and waits for the end of every other request. */
async function boundedServer(t: Test, times: Partial<SecureTimes>, answer = 'well') {
  const server = secureServer(tls, { ...FOREVER, ...times }, (request, response) => {
    if (request.method === 'GET') response.end(answer);
    else request.resume().once('end', () => response.end(answer));
  });
  /** The end of the first connection. */
  const closed = once(server, 'connection').then(([socket]) => closeOf(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // of a TCP server that listens
  return { port, closed, url: `https://127.0.0.1:${port}` };
}

t.test('bounds / a TLS handshake that is not begun → ended', async (t) => {
  const { port } = await boundedServer(t, { headersTimeoutMs: 50 });
  const { closed } = await rawConnect(t, port);
  await closed;
});

t.test('bounds / headers over HTTP/1.1 that do not end → ended', async (t) => {
  const { port } = await boundedServer(t, { headersTimeoutMs: 50, requestTimeoutMs: 50 });
  const raw = await rawTls(t, port, CA, 'http/1.1');
  raw.write('GET / HTTP/1.1\r\nhost: a\r\nx-never: ');
  await closeOf(raw);
});

t.test(
  'bounds / HTTP/2 without a request, or with half of its headers → ended, whatever else comes',
  async (t) => {
    const { port } = await boundedServer(t, { headersTimeoutMs: 100 });
    const ping = frameOf(FRAMES.ping, 0, 0, Buffer.alloc(8));
    for (const first of [ping, headersOf({}, 0)]) {
      const raw = await rawHttp2(t, port);
      raw.write(first);
      const pinging = setInterval(() => first === ping && raw.write(ping), 10);
      await closeOf(raw);
      clearInterval(pinging);
    }
  },
);

t.test('bounds / HTTP/2 that is idle after a request → ended; with a request open it is not', async (t) => {
  const { url } = await boundedServer(t, { idleTimeoutMs: 50 });
  const { session, ask, begin } = await http2Client(t, url, CA);
  const open = begin('/', { method: 'POST', hasBody: true });
  t.equal((await ask('/')).body, 'well');
  const other = await http2Client(t, url, CA);
  await other.ask('/');
  await closeOf(other.session); // by then this one's time would be over as well
  t.notOk(session.destroyed);
  open.end();
  await once(open.resume(), 'end');
  await closeOf(session);
});

t.test('bounds / a peer that takes its leave and keeps its half open → cut', async (t) => {
  const { port, closed } = await boundedServer(t, { headersTimeoutMs: 100 });
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
  const raw = connectTls({ socket, ca: CA, ALPNProtocols: ['h2'] });
  t.teardown(() => raw.destroy());
  await once(raw, 'secureConnect');
  raw.resume().write(PREFACE);
  raw.write(frameOf(FRAMES.goAway, 0, 0, Buffer.alloc(8)));
  await closed;
});

t.test('bounds / a body over HTTP/2 that does not come → that request is ended, and no other', async (t) => {
  const { url } = await boundedServer(t, { requestTimeoutMs: 50 });
  const { ask, begin } = await http2Client(t, url, CA);
  const slow = begin('/', { method: 'POST', hasBody: true });
  slow.write('half');
  const ended = once(slow, 'aborted');
  slow.resume();
  await ended;
  t.equal((await ask('/', { method: 'POST', body: 'whole' })).body, 'well');
});

t.test('bounds / an answer over HTTP/2 that nobody takes → ended; one that is silent is not', async (t) => {
  const { url } = await boundedServer(t, { stallTimeoutMs: 50 }, 'x'.repeat(1_000_000));
  const session = connectHttp2(url, { ca: CA, settings: { initialWindowSize: 0 } });
  t.teardown(() => session.destroy());
  const open = session.request({ ':method': 'POST' }, { endStream: false });
  const untaken = session.request({});
  await closeOf(untaken);
  t.equal(untaken.rstCode, 8, 'cancelled');
  t.notOk(open.destroyed);
});

t.test('bounds / more requests at a time than are allowed → the next is refused', async (t) => {
  const { port } = await boundedServer(t, {});
  const raw = await rawHttp2(t, port);
  for (let nth = 0; nth < 129; nth++) raw.write(headersOf({ ':method': 'POST' }, END_HEADERS, 2 * nth + 1));
  const { streamId, payload } = await frameFrom(raw, FRAMES.reset);
  t.strictSame([streamId, payload.readUInt32BE()], [257, REFUSED_STREAM]);
});

const REFUSED_STREAM = 7;

t.test('bounds / a flood of requests that are taken back at once → the connection is ended', async (t) => {
  const { port } = await boundedServer(t, { idleTimeoutMs: 50 }); // Node 20 says goodbye, and leaves it open
  const raw = await rawHttp2(t, port);
  const cancel = Buffer.from([0, 0, 0, 8]);
  const flood = Array.from({ length: 1200 }, (_, nth) => [
    headersOf({}, END_HEADERS + END_STREAM, 2 * nth + 1),
    frameOf(FRAMES.reset, 0, 2 * nth + 1, cancel),
  ]);
  raw.write(Buffer.concat(flood.flat()));
  await closeOf(raw);
});

/** What keeps a server from closing where nobody ends it. */
async function everythingOpen(t: Test, on: RunningApp) {
  const bare = await rawConnect(t, on.port);
  const half = await rawTls(t, on.port, CA, 'http/1.1');
  half.write('GET /livez HTTP/1.1\r\nhost: ');
  const idle = await rawHttp2(t, on.port); // says no more, and answers no goodbye
  const socket = await peer(t, on.wsUrl, { client });
  const { session, begin } = await http2Client(t, on.url, CA);
  const headers = { accept: 'text/event-stream' };
  const events = begin('/v1/session?silentMs=120000', { headers });
  await firstOf(events);
  return { bare, half: half.resume(), idle: idle.resume(), socket, session, events };
}

t.test('end / with everything open on the port → told, and closed', async (t) => {
  const on = await secureApp(t);
  const { bare, half, idle, socket, session, events } = await everythingOpen(t, on);
  const all = [bare.closed, closeOf(half), closeOf(idle), closeOf(session)];
  const last = firstOf(events);
  const goodbye = once(session, 'goaway');
  const closing = on.app.close();
  t.match(await socket.next('bye'), { code: 'draining' });
  t.match(await last, /^event: end/);
  await Promise.all([closing, goodbye, ...all]);
  await t.rejects(http2Client(t, on.url, CA), 'nobody listens any more');
});

t.test('end / a request that is not answered in time → cut, and closed', async (t) => {
  const onConnect = () => new Promise<undefined>(() => {});
  const on = await secureApp(t, { hooks: { onConnect }, drainTimeoutMs: 300 });
  const { begin } = await http2Client(t, on.url, CA);
  const never = begin('/v1/session').on('error', () => {});
  const asked = await http2Client(t, on.url, CA);
  await asked.ask('/livez'); // after it
  const gone = closeOf(never);
  await on.app.close();
  await gone;
});

t.test('end / an answer that is under way → comes whole', async (t) => {
  const on = await secureApp(t, { pages: true });
  const { begin } = await http2Client(t, on.url, CA);
  const page = begin('/earshot.js');
  const [headers] = await once(page, 'response');
  const closing = on.app.close();
  let bytes = 0;
  for await (const chunk of page) bytes += chunk.length;
  t.equal(bytes, Number(headers['content-length']));
  await closing;
});

t.test('plugin / on an application with HTTP/2 of its own → works, and lets it close', async (t) => {
  const app = fastify({ http2: true, https: { ...tls, allowHTTP1: true } });
  await app.register(earshot as never, { dev: true }); // typed for applications with HTTP/1.1
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = new URL(url);
  const socket = await peer(t, `wss://127.0.0.1:${port}/ws`, { client });
  const { ask } = await http2Client(t, url, CA);
  t.equal((await ask('/v1/session')).status, 200);
  const bare = await rawConnect(t, Number(port));
  await Promise.all([app.close(), socket.closed, bare.closed]);
});

t.test(
  'server that is handed in / one of node:http2 with a handler of its own → ours are ours',
  async (t) => {
    const server = createSecureServer({ ...tls, allowHTTP1: true }, (_request, response) => {
      response.end('theirs');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const app = await createApp({ dev: true }, { server });
    const { port } = server.address() as AddressInfo; // of a TCP server that listens
    const { ask, session } = await http2Client(t, `https://127.0.0.1:${port}`, CA);
    t.match(JSON.parse((await ask('/livez')).body), { status: 'ok' });
    t.equal((await ask('/')).body, 'theirs');
    const socket = await peer(t, `wss://127.0.0.1:${port}/ws`, { client });
    await app.close();
    t.match(await socket.closed, { code: 1012 });
    t.equal((await ask('/livez')).body, 'theirs', 'given back');
    session.close();
  },
);
