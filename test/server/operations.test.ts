import { Histogram, Registry } from 'prom-client';
import type { Test } from 'tap';
import t from 'tap';
import { CommandDurations } from '../../src/server/report/durations.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually, parseMetrics } from '../support/app.js';
import { peer } from '../support/peer.js';
import { closeFrame, frame, handshake, OPCODES, rawConnect } from '../support/raw-socket.js';
import { isProblem, ours, upgraded } from './scene.js';

/** A plain request on a raw socket: the path arrives as it is written here. */
async function get(t: Test, port: number, path: string, method = 'GET') {
  const raw = await rawConnect(t, port);
  await raw.send(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  return raw.response();
}

async function probe({ url }: RunningApp, path: string) {
  const response = await fetch(url + path);
  const body: unknown = await response.json();
  return { status: response.status, body, cache: response.headers.get('cache-control') };
}

t.test('metrics / how long commands took → what a histogram of the library prints', async (t) => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const bounds = [0.001, 0.01, 0.1];
  const durations = new CommandDurations('seconds', 'How long.', bounds);
  ours.registerMetric(durations);
  const histogram = new Histogram({
    name: 'seconds',
    help: 'How long.',
    labelNames: ['command', 'outcome'],
    buckets: bounds,
    registers: [theirs],
  });
  const see = (command: string, outcome: string, seconds: number) => {
    durations.add(command, outcome, seconds);
    histogram.observe({ command, outcome }, seconds);
  };
  t.equal(await ours.metrics(), await theirs.metrics(), 'of nothing');
  for (const seconds of [0, 0.001, 0.0011, 0.1, 7]) see('publish', 'ok', seconds);
  see('publish', 'forbidden', 0.05);
  see('ping', 'ok', 0.05);
  const sorted = (text: string) => text.split('\n').sort();
  t.same(sorted(await ours.metrics()), sorted(await theirs.metrics()));
  t.equal((await ours.getMetricsAsJSON())[0]?.type, 'histogram');
});

t.test('probes / all is well → 200, never cached', async (t) => {
  const on = await appOn(t);
  t.strictSame(await probe(on, '/livez'), { status: 200, body: { status: 'ok' }, cache: 'no-store' });
  const checks = { draining: 'ok', store: 'ok', eventLoop: 'ok' };
  for (const path of ['/readyz', '/health']) {
    t.strictSame(await probe(on, path), { status: 200, body: { status: 'ok', checks }, cache: 'no-store' });
  }
});

t.test('probes / draining → not ready, and alive; no upgrade, and the metrics go on', async (t) => {
  const on = await appOn(t);
  const client = await peer(t, on.wsUrl);
  const drained = on.app.earshot.drain();
  t.match(await client.next('bye'), { code: 'draining' });
  t.match(await client.closed, { code: 1012 });
  await drained;
  t.match(await probe(on, '/livez'), { status: 200 });
  for (const path of ['/readyz', '/health']) {
    t.match(await probe(on, path), { status: 503, body: { checks: { draining: 'draining', store: 'ok' } } });
  }
  t.equal(await on.metric('earshot_draining'), 1);
  t.ok((await on.metric('earshot_drain_seconds')) > 0);
  const raw = await rawConnect(t, on.port);
  await raw.send(ours());
  const response = await raw.response();
  isProblem(t, response, { status: 503, code: 'draining' });
  t.match(response.headers['retry-after'], /^\d+$/);
  isProblem(t, await get(t, on.port, '/v1/session'), { status: 503, code: 'draining' });
});

t.test('probes / the store fails → not ready, and why is not told', async (t) => {
  class FailingStore extends MemoryStore {
    override async ping(): Promise<void> {
      throw new Error('the password of the store is 1234');
    }
  }
  const on = await appOn(t, { store: new FailingStore() });
  const answer = await probe(on, '/health');
  t.strictSame(answer.body, {
    status: 'not ready',
    checks: { draining: 'ok', store: 'failing', eventLoop: 'ok' },
  });
  t.equal(answer.status, 503);
  t.match(await probe(on, '/livez'), { status: 200 });
});

t.test('probes / the store does not answer → not ready, and the probe does answer', async (t) => {
  class HangingStore extends MemoryStore {
    override ping(): Promise<void> {
      return new Promise(() => {});
    }
  }
  const on = await appOn(t, { store: new HangingStore() });
  t.match(await probe(on, '/readyz'), { status: 503, body: { checks: { store: 'does not answer' } } });
  t.match(await probe(on, '/livez'), { status: 200 });
});

t.test('probes / the event loop is late → not ready, and alive', async (t) => {
  const on = await appOn(t, { maxEventLoopDelayMs: 1, pingIntervalMs: 100 });
  const verdict = async (status: number) => (await probe(on, '/readyz')).status === status;
  await eventually('a late event loop', async () => {
    const until = performance.now() + 100;
    while (performance.now() < until); // what a busy handler does
    return verdict(503);
  });
  t.match(await probe(on, '/livez'), { status: 200 });
});

const LABELS = ['transport', 'limit', 'scope', 'outcome', 'reason', 'code', 'command', 'quantile', 'le'];
const TYPE = /^# TYPE (\S+) (counter|gauge|histogram)$/;

t.test('metrics / the text → is valid, and keeps the rules of names and labels', async (t) => {
  const on = await appOn(t);
  const client = await peer(t, on.wsUrl);
  const { session } = await client.next('welcome');
  await client.call({ type: 'subscribe', channel: 'a-channel' });
  await client.call({ type: 'publish', channel: 'a-channel', data: 1 });
  const response = await fetch(`${on.url}/metrics`);
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  const types = text.split('\n').flatMap((line) => {
    const [, name, kind] = TYPE.exec(line) ?? [];
    return name === undefined || kind === undefined ? [] : [[name, kind] as const];
  });
  t.ok(types.length > 15);
  for (const [name, kind] of types) {
    t.match(name, /^earshot_[a-z]+(_[a-z]+)*$/);
    t.equal(kind === 'counter', name.endsWith('_total'), `${name} is a ${kind}`);
    t.notMatch(name, /_(ms|milliseconds|kb|percent)\b/, 'base units');
    t.ok(text.includes(`# HELP ${name} `));
  }
  const names = new Map(types);
  for (const { name, labels, value } of parseMetrics(text)) {
    t.ok(names.has(name.replace(/_(bucket|sum|count)$/, '')) || names.has(name), name);
    t.strictSame(
      Object.keys(labels).filter((label) => !LABELS.includes(label)),
      [],
    );
    t.notOk(Number.isNaN(value));
  }
  t.notMatch(text, /a-channel|127\.0\.0\.1/);
  t.notOk(text.includes(session));
});

t.test('metrics / something happens → its metric moves, by what it says', async (t) => {
  const on = await appOn(t, { retention: { messages: 1 }, limits: { commandBurst: 100_000 } });
  const websocket = { transport: 'websocket' };
  const moves = async (
    by: number,
    name: string,
    labels: Record<string, string>,
    work: () => Promise<unknown>,
  ) => {
    const before = await on.metric(`earshot_${name}`, labels);
    await work();
    if (by > 0) await on.metricReaches(before + by, `earshot_${name}`, labels);
    else await eventually(name, async () => (await on.metric(`earshot_${name}`, labels)) === before + by);
    t.equal(await on.metric(`earshot_${name}`, labels), before + by, `${name} by ${by}`);
  };
  const connect = () => peer(t, on.wsUrl);
  const a = await connect();
  await a.next('welcome');
  await moves(1, 'sessions', websocket, connect);
  await moves(1, 'sessions_total', websocket, connect);
  await moves(1, 'subscriptions', websocket, () => a.call({ type: 'subscribe', channel: 'a' }));
  await moves(1, 'channels', {}, () => a.call({ type: 'subscribe', channel: 'b' }));
  await moves(-1, 'channels', {}, () => a.call({ type: 'unsubscribe', channel: 'b' }));
  const publish = () => a.call({ type: 'publish', channel: 'a', data: 1 });
  await moves(1, 'messages_in_total', websocket, publish);
  await moves(1, 'messages_out_total', websocket, publish);
  await moves(-1, 'subscriptions', websocket, () => a.call({ type: 'unsubscribe', channel: 'a' }));
  await moves(1, 'resumes_total', { outcome: 'none' }, () => a.call({ type: 'subscribe', channel: 'c' }));
  const early = await publish();
  const offset = early.type === 'published' ? early.offset : '';
  const resume = () => a.call({ type: 'subscribe', channel: 'a', offset });
  await moves(1, 'resumes_total', { outcome: 'complete' }, resume);
  await a.call({ type: 'unsubscribe', channel: 'a' });
  await publish();
  await publish();
  await moves(1, 'resumes_total', { outcome: 'lost' }, resume);
  const seconds = 'command_duration_seconds_count';
  await moves(1, seconds, { command: 'ping', outcome: 'ok' }, () => a.call({ type: 'ping' }));
  await moves(1, seconds, { command: 'subscribe', outcome: 'conflict' }, resume);
  await moves(1, 'faults_total', { code: 'bad_envelope' }, async () => a.sendRaw('x'));
  await moves(1, 'refusals_total', { reason: 'bad_handshake' }, async () => {
    const raw = await rawConnect(t, on.port);
    await raw.send(ours({ version: 12 }));
  });
  await moves(1, 'ws_errors_total', { code: 'WS_ERR_INVALID_OPCODE' }, async () => {
    await (await upgraded(t, on.port)).send(frame({ opcode: 3 }));
  });
  await moves(1, 'closes_total', { code: '1001' }, async () => {
    await (await upgraded(t, on.port)).send(closeFrame(1001));
  });
  const received = await on.metric('earshot_received_bytes_total', websocket);
  const sent = await on.metric('earshot_sent_bytes_total', websocket);
  await a.call({ type: 'publish', channel: 'a', data: 'x'.repeat(10_000) });
  await on.metricReaches(received + 10_000, 'earshot_received_bytes_total', websocket);
  await on.metricReaches(sent + 10_000, 'earshot_sent_bytes_total', websocket);
  a.socket.close();
  await a.closed;
  await moves(1, 'sessions_total', websocket, connect);
  t.ok(
    (await on.metric('earshot_sent_bytes_total', websocket)) >= sent + 10_000,
    'what is gone is not forgotten',
  );
});

t.test('metrics / a peer that does not answer our close → counted by our code', async (t) => {
  const on = await appOn(t);
  const raw = await rawConnect(t, on.port);
  await raw.send(ours());
  await raw.response();
  await raw.send(frame({ opcode: OPCODES.binary, payload: 'x' }));
  await raw.closed;
  await on.metricReaches(1, 'earshot_closes_total', { code: '1003' });
  t.equal(await on.metric('earshot_closes_total', { code: '1006' }), 0);
});

t.test('commands over HTTP / more than their rate → rate_limited, each by itself', async (t) => {
  const { url } = await appOn(t, { limits: { commandsPerSecond: 0.001, commandBurst: 3 } });
  const command = '{"type":"presence","id":1,"channel":"a"}';
  const headers = { 'content-type': 'application/json' };
  const body = `[${Array(5).fill(command).join(',')}]`;
  const answers = await (await fetch(`${url}/v1/commands`, { method: 'POST', headers, body })).json();
  const codes = answers.map(({ type, code }: { type: string; code?: string }) => code ?? type);
  t.strictSame(codes, ['presence', 'presence', 'presence', 'rate_limited', 'rate_limited']);
});

t.test(
  'commands over HTTP / answers that are too long together → the rest is told to ask again',
  async (t) => {
    const { app, url } = await appOn(t);
    for (let each = 0; each < 4; each++) await app.earshot.publish('a', 'x'.repeat(60_000));
    const command = '{"type":"history","id":1,"channel":"a"}';
    const headers = { 'content-type': 'application/json' };
    const body = `[${Array(64).fill(command).join(',')}]`;
    const response = await fetch(`${url}/v1/commands`, { method: 'POST', headers, body });
    const text = await response.text();
    t.ok(text.length < 1.5 * 1024 * 1024, `${text.length} characters`);
    const answers: { type: string; code?: string }[] = JSON.parse(text);
    t.equal(answers.length, 64);
    t.match(answers[0], { type: 'history' });
    t.match(answers[63], { type: 'error', code: 'too_large' });
  },
);

t.test('commands over HTTP / a caller who may not connect → 401 before the body is looked at', async (t) => {
  const { url } = await appOn(t, { dev: false, token: { secret: 'a secret of thirty-two bytes or more' } });
  for (const body of ['not json', '[]']) {
    const headers = { 'content-type': 'application/json' };
    t.equal((await fetch(`${url}/v1/commands`, { method: 'POST', headers, body })).status, 401);
  }
});

t.test('GET /ws without the upgrade → 426 with a hint about the proxy', async (t) => {
  const { port, url } = await appOn(t);
  const response = await get(t, port, '/ws');
  isProblem(t, response, { status: 426, code: 'upgrade_required' });
  t.match(response.headers, { upgrade: 'websocket' });
  t.match(JSON.parse(response.body).detail, /proxy_set_header Upgrade \$http_upgrade/);
  t.equal((await get(t, port, '/ws?a=b')).status, 426);
  t.equal((await fetch(`${url}/ws`, { method: 'HEAD' })).status, 426);
  isProblem(t, await get(t, port, '/ws', 'POST'), { status: 404, code: 'not_found' });
});

t.test('pages / what is in public/ → is served with headers that keep it safe', async (t) => {
  const { port } = await appOn(t);
  const files = {
    '/': /^text\/html/,
    '/?a=b': /^text\/html/,
    '/earshot.js': /^(text|application)\/javascript/,
  };
  for (const [path, type] of Object.entries(files)) {
    const { status, headers } = await get(t, port, path);
    t.equal(status, 200, path);
    t.match(headers, {
      'content-type': type,
      'content-security-policy': /^default-src 'none'; script-src 'self';/,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
      etag: /./,
    });
    t.match(headers['content-security-policy'], "frame-ancestors 'none'");
    t.notMatch(headers['content-security-policy'], /unsafe|\*/);
  }
});

t.test('pages / paths that lead out, and dotfiles → nothing of ours is told', async (t) => {
  const { port } = await appOn(t);
  const paths = [
    '/..%2fpackage.json',
    '/%2e%2e/package.json',
    '/%2e%2e%2fpackage.json',
    '/../package.json',
    '/..\\package.json',
    '/..%5cpackage.json',
    '/%252e%252e/package.json',
    '//etc/passwd',
    '///etc/passwd',
    '/earshot.js/../../package.json',
    '/earshot.js%00.html',
    '/.git/config',
    '/.env',
    '/%2egit/config',
    '/%ZZ',
    '/%',
    '/public/earshot.js',
    '/earshot.js/',
  ];
  for (const path of paths) {
    const { status, body, headers } = await get(t, port, path);
    t.ok(status >= 400 && status < 500, `${path} is answered ${status}`);
    t.notMatch(body, /"dependencies"|root:|\/work|node_modules/, path);
    t.equal(headers['location'], undefined);
  }
  t.equal((await get(t, port, '/livez')).status, 200);
});

t.test('pages / they are off → nothing at their paths', async (t) => {
  const { port } = await appOn(t, { pages: false });
  isProblem(t, await get(t, port, '/earshot.js'), { status: 404, code: 'not_found' });
});

t.test(
  'requests / headers, a handshake, a body or anything at all that comes too slowly → 408',
  async (t) => {
    const { app, port } = await appOn(t);
    app.server.headersTimeout = 100; // looked at once a second
    app.server.requestTimeout = 100;
    const headers = await rawConnect(t, port);
    await headers.send('GET /livez HTTP/1.1\r\nhost: local');
    const body = await rawConnect(t, port);
    await body.send(
      'POST /v1/commands HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[',
    );
    const upgrade = await rawConnect(t, port);
    await upgrade.send(ours().slice(0, -2)); // but for the empty line that ends it
    const silent = await rawConnect(t, port);
    for (const raw of [headers, body, upgrade, silent]) {
      t.equal((await raw.response()).status, 408);
      await raw.closed;
    }
  },
);

t.test('requests / that nobody serves → a problem document with our code', async (t) => {
  const { port } = await appOn(t);
  isProblem(t, await get(t, port, '/none'), { status: 404, code: 'not_found' });
  isProblem(t, await get(t, port, '/v1/none'), { status: 404, code: 'not_found' });
  const raw = await rawConnect(t, port);
  await raw.send(handshake({ path: '/livez', headers: { upgrade: 'h2c', 'content-length': '3' } }));
  t.equal((await raw.response()).status, 200);
});
