import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import { connect } from '../../src/client/node.js';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import type { Child } from '../support/child.js';
import { startChild } from '../support/child.js';
import { blocksOf } from '../support/documents.js';
import { traceLog } from '../support/logs.js';
import { peer, plainPeer } from '../support/peer.js';
import { nginxOn } from '../support/proxies.js';
import { secret } from '../support/secrets.js';
import { ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';

const SECRET = secret('a secret of tests: thirty-two bytes or more');
const SUBPROTOCOL = 'earshot.v1.json';

async function serverOn(t: Test, options: EarshotOptions) {
  const app = await createApp({ maxEventLoopDelayMs: 3_600_000, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  const { host, port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  return { app, host, port, wsUrl: `ws://${host}/ws` };
}

/** A token of u-1. */
function sign(): Promise<string> {
  const claims = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  return claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET)).then(secret);
}

/** The client in Python: what it is told to send, and what it tells. */
interface Foreign {
  send(text: string): void;
  /** The next thing that it tells. */
  next(): Promise<unknown>;
  /** The next frame. */
  text(): Promise<string>;
  /** The next envelope. */
  envelope(): Promise<Record<string, unknown>>;
  /** Has it close, and gives the code. */
  close(): Promise<unknown>;
}

async function foreign(t: Test, url: string, subprotocol?: string): Promise<Foreign> {
  const script = join(ROOT, 'test/support/foreign.py');
  const args = [script, url, ...(subprotocol === undefined ? [] : [subprotocol])];
  const child: Child = await startChild(t, tool('python'), args);
  const next = async () => JSON.parse((await child.says(/(\{.*\})\n/))[1] ?? '');
  return {
    next,
    send: (text) => child.write(`${text}\n`),
    text: async () => (await next()).text,
    envelope: async () => JSON.parse((await next()).text),
    async close() {
      child.finish();
      const told = await next();
      await child.ended;
      return told.closed;
    },
  };
}

t.test('foreign client / envelopes → is welcomed, subscribes, publishes, hears, unsubscribes', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  const python = await foreign(t, wsUrl, SUBPROTOCOL);
  t.strictSame(await python.next(), { open: SUBPROTOCOL, compressed: false });
  const { session, name } = await python.envelope();
  python.send('{"type":"subscribe","id":1,"channel":"news","presence":true}');
  t.match(await python.envelope(), { type: 'subscribed', id: 1, members: [{ session, name }] });
  python.send('{"type":"publish","id":2,"channel":"news","data":"grüße 🌍"}');
  const { offset } = await python.envelope();
  t.match(await python.envelope(), { type: 'message', offset, from: name, data: 'grüße 🌍' });
  const other = await peer(t, wsUrl);
  await other.call({ type: 'publish', channel: 'news', data: { n: 1 } });
  t.match(await python.envelope(), { type: 'message', channel: 'news', data: { n: 1 } });
  python.send('{"type":"unsubscribe","id":3,"channel":"news"}');
  t.strictSame(await python.envelope(), { type: 'unsubscribed', id: 3, channel: 'news' });
  await other.call({ type: 'publish', channel: 'news', data: 'not for Python any more' });
  python.send('{"type":"ping","id":4}');
  t.strictSame(await python.envelope(), { type: 'pong', id: 4 });
  t.equal(await python.close(), 1000);
});

t.test('foreign client / compression, large frames → arrive as they were', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true, perMessageDeflate: true });
  const [one, two] = [await foreign(t, wsUrl, SUBPROTOCOL), await foreign(t, wsUrl, SUBPROTOCOL)];
  for (const python of [one, two]) {
    t.strictSame(await python.next(), { open: SUBPROTOCOL, compressed: true });
    t.match(await python.envelope(), { type: 'welcome' });
  }
  two.send('{"type":"subscribe","id":1,"channel":"bulk"}');
  t.match(await two.envelope(), { type: 'subscribed' });
  const bulk = Array.from({ length: 20 }, (_, at) => `${at} ${'äbc '.repeat(at * 300)}`);
  for (const [at, data] of bulk.entries()) {
    one.send(JSON.stringify({ type: 'publish', id: at + 1, channel: 'bulk', data }));
    t.match(await one.envelope(), { type: 'published', id: at + 1 });
    const { data: heard } = await two.envelope();
    t.ok(heard === data, `${data.length} characters`);
  }
  t.strictSame([await one.close(), await two.close()], [1000, 1000]);
});

t.test('foreign client / plain → talks with a plain client of ours, both ways', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  const python = await foreign(t, wsUrl);
  t.strictSame(await python.next(), { open: null, compressed: false });
  const welcome = await python.text();
  t.match(welcome, /^Welcome 127\.0\.0\.1:\d+$/);
  const name = welcome.replace('Welcome ', '');
  const ours = await plainPeer(t, wsUrl);
  const ourName = (await ours.next()).replace('Welcome ', '');
  python.send('hello from Python');
  t.equal(await python.text(), `${name} -> hello from Python`);
  t.equal(await ours.next(), `${name} -> hello from Python`);
  ours.send('hello from ws');
  t.equal(await python.text(), `${ourName} -> hello from ws`);
  t.equal(await python.close(), 1000);
});

t.test('foreign client / plain → talks with our client, both ways', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  const client = connect(wsUrl);
  t.teardown(() => client.close());
  const lobby = client.subscribe('lobby');
  const messages = lobby[Symbol.asyncIterator]();
  await lobby.ready();
  const python = await foreign(t, wsUrl);
  await python.next();
  const welcome = await python.text();
  python.send('{"not":"an envelope"}');
  const heard = { from: welcome.replace('Welcome ', ''), data: '{"not":"an envelope"}' };
  t.match((await messages.next()).value, heard);
  await python.next();
  await client.publish('lobby', { so: ['is', 'this'] });
  t.equal(await python.text(), `${client.session?.name} -> {"so":["is","this"]}`);
});

t.test('foreign client / a subprotocol that is not spoken → is refused with 400', async (t) => {
  const { wsUrl } = await serverOn(t, { dev: true });
  t.strictSame(await (await foreign(t, wsUrl, 'graphql-transport-ws')).next(), { refused: 400 });
});

/** The `location` of docs/operating.md, for a server on this port. */
function documented(port: string): string {
  const page = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
  const [block, ...more] = blocksOf(page).filter(({ language }) => language === 'nginx');
  if (block === undefined || more.length > 0) throw new Error('docs/operating.md has one block for nginx');
  return block.text.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`);
}

t.test('nginx / nothing but proxy_pass → the page is served, and /ws says what is missing', async (t) => {
  const { port } = await serverOn(t, { dev: true });
  const { url, host } = await nginxOn(t, `location / { proxy_pass http://127.0.0.1:${port}; }`);
  const page = await fetch(`${url}/`);
  t.equal(page.status, 200);
  t.match(await page.text(), '<title>');
  const python = await foreign(t, `ws://${host}/ws`, SUBPROTOCOL);
  t.strictSame(await python.next(), { refused: 426 });
  const answer = await runProcess(tool('curl'), [
    ...['--silent', '--include', '--header', 'connection: Upgrade', '--header', 'upgrade: websocket'],
    ...['--header', 'sec-websocket-version: 13', '--header', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='],
    `${url}/ws`,
  ]);
  t.match(answer.stdout, /^HTTP\/1\.1 426 /);
  const [, body = ''] = answer.stdout.split('\r\n\r\n');
  const { code, detail } = JSON.parse(body);
  t.equal(code, 'upgrade_required');
  const settings =
    /proxy_http_version 1\.1;.*proxy_set_header Upgrade \$http_upgrade;.*Connection "upgrade";/;
  t.match(detail, settings);
});

t.test(
  'nginx / as docs/operating.md has it → a program of ours and a foreign one talk through it',
  async (t) => {
    const { port } = await serverOn(t, { dev: true });
    const nginx = await nginxOn(t, documented(port));
    const wsUrl = `ws://${nginx.host}/ws`;
    const python = await foreign(t, wsUrl, SUBPROTOCOL);
    t.match(await python.next(), { open: SUBPROTOCOL });
    t.match(await python.envelope(), { type: 'welcome' });
    python.send('{"type":"subscribe","id":1,"channel":"news"}');
    t.match(await python.envelope(), { type: 'subscribed' });
    const ours = await peer(t, wsUrl);
    await ours.call({ type: 'subscribe', channel: 'news' });
    await ours.call({ type: 'publish', channel: 'news', data: 'down' });
    t.match(await python.envelope(), { type: 'message', data: 'down' });
    t.match(await ours.next('message'), { data: 'down' });
    python.send('{"type":"publish","id":2,"channel":"news","data":"up"}');
    t.match(await ours.next('message'), { data: 'up' });
  },
);

t.test('nginx / a page of its address → is let in with $http_host, and not with $host', async (t) => {
  const options = { anonymous: true, token: { secret: SECRET } };
  const { port } = await serverOn(t, options); // not for development: there every page of this machine may
  const headers = { authorization: `Bearer ${await sign()}` };
  const pages = async (location: string) => {
    const { url, host } = await nginxOn(t, location);
    const answer = await fetch(`${url}/v1/session`, { headers: { ...headers, origin: url } });
    return { origin: url, wsUrl: `ws://${host}/ws`, status: answer.status };
  };
  const block = documented(port);
  t.match(block, '$http_host;');
  const withoutPort = await pages(block.replace('$http_host;', '$host;'));
  t.equal(withoutPort.status, 403, 'the port is missing');
  const { origin, wsUrl, status } = await pages(block);
  t.equal(status, 200);
  const page = await peer(t, wsUrl, { headers: { ...headers, origin } });
  t.match(await page.next('welcome'), { user: 'u-1' });
  await page.call({ type: 'subscribe', channel: 'news' });
  await page.call({ type: 'publish', channel: 'news', data: 'through' });
  t.match(await page.next('message'), { data: 'through' });
});

t.test('nginx / killed in mid-session and started again → our client misses nothing', async (t) => {
  const { app, port } = await serverOn(t, { dev: true });
  const nginx = await nginxOn(t, documented(port));
  const client = connect(`ws://${nginx.host}/ws`, { minBackoffMs: 20, maxBackoffMs: 100 });
  t.teardown(() => client.close());
  const channel = client.subscribe('orders');
  const resumes: string[] = [];
  channel.on('resumed', ({ resume }) => resumes.push(resume));
  const messages = channel[Symbol.asyncIterator]();
  await channel.ready();
  await client.publish('orders', 0);
  const cut = new Promise<void>((resolve) => {
    client.on('state', (state) => state === 'waiting' && resolve());
  });
  await nginx.kill();
  await cut;
  await app.earshot.publish('orders', 1);
  const published = client.publish('orders', 2);
  await nginx.start();
  t.equal((await published).duplicate, false);
  await app.earshot.publish('orders', 3);
  const heard: unknown[] = [];
  for (let count = 0; count < 4; count++) heard.push((await messages.next()).value?.data);
  t.strictSame(heard, [0, 1, 2, 3]);
  t.strictSame(resumes, ['none', 'complete']);
});

t.test('curl / offers h2c on a path that is no WebSocket → is served as it asked', async (t) => {
  const { host } = await serverOn(t, { dev: true });
  const { stdout: about } = await runProcess(tool('curl'), ['--version']);
  t.match(about, /\bHTTP2\b/, 'this curl speaks HTTP/2');
  const args = ['--silent', '--verbose', '--http2', `http://${host}/livez`];
  const { code, stdout, stderr } = await runProcess(tool('curl'), args);
  t.equal(code, 0, stderr);
  t.match(stderr, /^> Upgrade: h2c\r?$/m);
  t.match(stderr, /^< HTTP\/1\.1 200 /m);
  t.strictSame(JSON.parse(stdout), { status: 'ok' });
});
