import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import type { RawSocket } from '../support/raw-socket.js';
import { rawConnect } from '../support/raw-socket.js';
import { isProblem } from './scene.js';

const SECRET = 'a secret of the tests that is longer than 32 bytes';
/** So long that an end that comes before it has another cause. */
const LONG_MS = 120_000;

function request(query = '', headers: Readonly<Record<string, string>> = {}, method = 'GET'): string {
  const all = { host: 'localhost', accept: 'text/event-stream', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} /v1/session${query} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A stream whose first event has come. */
async function streaming(t: Test, { port }: RunningApp, query: string): Promise<RawSocket> {
  const raw = await rawConnect(t, port);
  await raw.send(request(query));
  await raw.readUntil((bytes) => bytes.includes('event: session\n'));
  return raw;
}

function heldOf({ app }: RunningApp) {
  return app.earshot.heldAnswers;
}

async function token(): Promise<string> {
  const claims = new SignJWT({ name: 'Ann' }).setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  return claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET));
}

t.test('stream / asked for → the plain answer at once, the end after the silence', async (t) => {
  const on = await appOn(t, { dev: false, token: { secret: SECRET }, origins: ['https://app.example'] });
  const headers = { authorization: `Bearer ${await token()}`, origin: 'https://app.example' };
  const plain: unknown = await (await fetch(`${on.url}/v1/session`, { headers })).json();
  const raw = await rawConnect(t, on.port);
  await raw.send(request(`?silentMs=${LONG_MS}`, headers));
  const first = await raw.readUntil((bytes) => /^event: session\ndata:(.+)\n\n/m.exec(String(bytes))?.[1]);
  t.strictSame(JSON.parse(first), plain);
  t.match(plain, { user: 'u-1', name: 'Ann' });
  t.notMatch(String(raw.received()), 'event: end', 'the silence goes on');
  const short = await rawConnect(t, on.port);
  await short.send(request('?silentMs=0', headers));
  const response = await short.response();
  t.equal(response.body, `event: session\ndata:${JSON.stringify(plain)}\n\nevent: end\ndata:{}\n\n`);
  t.match(response.headers, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-store, no-transform',
    'x-accel-buffering': 'no',
    'access-control-allow-origin': 'https://app.example',
    vary: 'Origin',
  });
});

t.test('stream / HEAD, and Accept of anything → the plain answer', async (t) => {
  const on = await appOn(t);
  const raw = await rawConnect(t, on.port);
  await raw.send(request('', { accept: '*/*' }));
  t.match((await raw.response()).headers['content-type'], /^application\/json/);
  await raw.send(request(`?silentMs=${LONG_MS}`, { connection: 'close' }, 'HEAD'));
  const head = await raw.readUntil((bytes) => bytes.includes('\r\n\r\n') && String(bytes));
  t.match(head, /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-type: application\/json/);
});

t.test('silentMs / what is no number within the bounds → 400', async (t) => {
  const on = await appOn(t);
  for (const silent of ['', '-1', '1.5', '1e3', 'soon', '120001', '9999999', '1&silentMs=1', '%00']) {
    const raw = await rawConnect(t, on.port);
    await raw.send(request(`?silentMs=${silent}`));
    isProblem(t, await raw.response(), { status: 400, code: 'bad_envelope' });
  }
});

t.test('refusals / a caller who may not connect → the problem document, and no stream', async (t) => {
  const options: EarshotOptions = { dev: false, token: { secret: SECRET } };
  const on = await appOn(t, options);
  const ask = async (headers: Readonly<Record<string, string>>) => {
    const raw = await rawConnect(t, on.port);
    await raw.send(request('', headers));
    return raw.response();
  };
  isProblem(t, await ask({}), { status: 401, code: 'unauthenticated' });
  const good = { authorization: `Bearer ${await token()}` };
  isProblem(t, await ask({ ...good, origin: 'https://evil.example' }), { status: 403, code: 'forbidden' });
});

t.test('bound / a hundred streams → one more is refused until one has gone', async (t) => {
  const on = await appOn(t);
  const streams = await Promise.all(
    Array.from({ length: 100 }, () => streaming(t, on, `?silentMs=${LONG_MS}`)),
  );
  t.equal(heldOf(on).full, true);
  const refused = await rawConnect(t, on.port);
  await refused.send(request());
  isProblem(t, await refused.response(), { status: 429, code: 'too_many' });
  streams[0]?.socket.destroy();
  await eventually('room', () => heldOf(on).count < 100);
  const next = await rawConnect(t, on.port);
  await next.send(request('?silentMs=0'));
  t.match((await next.response()).body, 'event: end');
});

t.test('peer / leaves while it is being admitted → takes no room', async (t) => {
  let asked = (_request: IncomingMessage) => {};
  const isAsked = new Promise<IncomingMessage>((resolve) => {
    asked = resolve;
  });
  const gone = async ({ req }: { readonly req: IncomingMessage }) => {
    asked(req);
    await once(req.socket, 'close');
    return true;
  };
  const on = await appOn(t, { verifyClient: gone });
  const raw = await rawConnect(t, on.port);
  await raw.send(request(`?silentMs=${LONG_MS}`));
  const { socket } = await isAsked;
  const closed = once(socket, 'close');
  raw.socket.destroy();
  await closed;
  await new Promise((resolve) => setImmediate(resolve)); // the handler has gone on
  t.equal(heldOf(on).count, 0);
});

for (const [how, end] of [
  ['drain', ({ app }: RunningApp) => app.earshot.drain()],
  ['close', ({ app }: RunningApp) => app.close()],
] as const) {
  t.test(`${how} / while a stream is silent → it ends at once, in order`, async (t) => {
    const on = await appOn(t);
    const raw = await rawConnect(t, on.port);
    await raw.send(request(`?silentMs=${LONG_MS}`));
    await raw.readUntil((bytes) => bytes.includes('event: session\n'));
    const ended = end(on);
    t.match((await raw.response()).body, /^event: session\n.*\n\nevent: end\ndata:\{\}\n\n$/);
    await ended;
  });
}
