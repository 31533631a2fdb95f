import type { Test } from 'tap';
import t from 'tap';
import { socketUrl } from '../../src/cli/client/connection.js';
import { durationMs, positive } from '../../src/cli/duration.js';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import { earshot, failsWith, jsonLines, startEarshot } from '../support/command.js';
import { traceLog } from '../support/logs.js';
import { peer } from '../support/peer.js';
import { secret } from '../support/secrets.js';
import { freePort, runProcess } from '../support/spawn.js';
import { tcpProxy } from '../support/tcp-proxy.js';

const SECRET = secret('a secret of the tests that is longer than 32 bytes');

/** A server in this process, and how a command reaches it. */
async function serverOn(t: Test, options: EarshotOptions = { dev: true }) {
  const app = await createApp({ maxEventLoopDelayMs: 3_600_000, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  const http = await app.listen({ port: 0, host: '127.0.0.1' });
  const url = `${http.replace('http', 'ws')}/ws`;
  return {
    app,
    http,
    url,
    publish: (data: unknown, channel = 'lobby') => app.earshot.publish(channel, data),
    /** What is kept of the channel. */
    async history(channel = 'lobby'): Promise<readonly unknown[]> {
      const answer = await (await peer(t, url)).call({ type: 'history', channel, limit: 1000 });
      if (answer.type !== 'history') throw new Error(`no history: ${answer.text}`);
      return answer.messages.map(({ data }) => data);
    },
  };
}

t.test('publish / JSON, text, or lines of stdin → stored in order; an offset a line', async (t) => {
  const { url, http, history } = await serverOn(t);
  const one = await earshot({ args: ['publish', 'lobby', '{"a":[1]}', '--url', url] });
  t.equal(one.code, 0);
  t.match(jsonLines(one.stdout), [{ offset: /^.+$/, duplicate: false }]);
  t.match(one.stderr, /^earshot: connected as 127\.0\.0\.1:\d+$/m);
  t.match(await earshot({ args: ['publish', 'lobby', '--text', '{"a"', '--url', http] }), { code: 0 });

  const input = Array.from({ length: 300 }, (_, at) => `{"n":${at}}\n`).join('\r\n');
  const many = await earshot({ args: ['publish', 'lines', '--url', url], input });
  t.equal(many.code, 0);
  const offsets = jsonLines(many.stdout).map((line) => (line as { readonly offset: string }).offset);
  t.equal(offsets.length, 300);
  t.strictSame(offsets, [...new Set(offsets)].sort(), 'in order, each its own');
  t.strictSame(
    await history('lines'),
    Array.from({ length: 300 }, (_, n) => ({ n })),
  );
  t.strictSame(await history(), [{ a: [1] }, '{"a"']);
});

t.test('publish / a line that is no JSON → those before it are stored; exit 2 names it', async (t) => {
  const { url, history } = await serverOn(t);
  const { code, stdout, stderr } = await earshot({
    args: ['publish', 'lobby', '--url', url],
    input: '1\n\n{\n2\n',
  });
  t.equal(code, 2);
  t.equal(jsonLines(stdout).length, 1);
  t.match(stderr, /^earshot: line 3 is not JSON; /m);
  t.strictSame(await history(), [1]);
});

t.test('publish / what is refused, or typed wrong → 1 or 2, in words', async (t) => {
  const { url } = await serverOn(t, {
    token: { secret: SECRET },
    anonymous: true,
    limits: { maxFrameBytes: 1000 },
  });
  const refused = await earshot({ args: ['publish', 'lobby', '1', '--url', url] });
  t.match(refused, { code: 1, stdout: '', stderr: /^earshot: forbidden: /m });
  const large = await earshot({ args: ['publish', 'lobby', '--text', 'x'.repeat(2000), '--url', url] });
  t.match(large, { code: 1, stdout: '', stderr: /^earshot: too_large: /m });
  const token = await earshot({
    args: ['publish', 'lobby', '1', '--url', url],
    env: { EARSHOT_TOKEN: 'bad' },
  });
  t.match(token, { code: 1, stdout: '', stderr: /^earshot: unauthenticated: /m });
  failsWith(
    t,
    await earshot({ args: ['publish', 'lobby', 'hi'] }),
    2,
    /^earshot: the data is not JSON; --text/,
  );
  failsWith(t, await earshot({ args: ['publish', 'a b', '1'] }), 2, /"a b" is not the name of a channel/);
  failsWith(
    t,
    await earshot({ args: ['publish', 'a', '1', '--url', 'ftp://a'] }),
    2,
    /is none of ws, wss, http, https/,
  );
  failsWith(t, await earshot({ args: ['publish', 'a', '--token', '-'] }), 2, /stdin can not hold both/);
  const both = { EARSHOT_TOKEN: 'a', EARSHOT_TOKEN_FILE: 'b' };
  failsWith(t, await earshot({ args: ['publish', 'a', '1'], env: both }), 2, /are both set/);
  const file = ['publish', 'a', '1', '--token-file', '/no/such/file'];
  failsWith(t, await earshot({ args: file }), 2, /\/no\/such\/file can't be read \(ENOENT\)/);
});

t.test('publish / nobody there in time → exit 1, and why on stderr', async (t) => {
  const url = `ws://127.0.0.1:${await freePort()}/ws`;
  const { code, stdout, stderr } = await earshot({
    args: ['publish', 'a', '1', '--url', url, '--timeout', '300ms'],
  });
  t.strictSame([code, stdout], [1, '']);
  t.match(stderr, /^earshot: not connected: .*; again in \d+\.\d s$/m);
  t.match(stderr, /^earshot: timeout: /m);
});

t.test('publish / data that its channel does not take → exit 1, each fault once', async (t) => {
  const schema = { type: 'object', required: ['text'] };
  const { url } = await serverOn(t, { dev: true, channels: { a: { anonymous: ['publish'], schema } } });
  const { code, stdout, stderr } = await earshot({ args: ['publish', 'a', '{}', '--url', url] });
  t.strictSame([code, stdout], [1, '']);
  t.match(stderr, /^earshot: bad_data: data: must have required property 'text'$/m);
});

t.test('token / by variable, file or stdin → who publishes', async (t) => {
  const { url } = await serverOn(t, { token: { secret: SECRET } });
  const env = { EARSHOT_TOKEN_SECRET: SECRET };
  const { stdout: token } = await earshot({ args: ['token', '--sub', 'ann', '--name', 'Ann'], env });
  const file = `${t.testdir({ token })}/token`;
  const publish = ['publish', 'lobby', '1', '--url', url];
  const runs = [
    { args: publish, env: { EARSHOT_TOKEN: token.trim() } },
    { args: publish, env: { EARSHOT_TOKEN_FILE: file } },
    { args: [...publish, '--token-file', file] },
    { args: [...publish, '--token', token.trim()] },
    { args: [...publish, '--token', '-'], input: token },
  ];
  for (const run of runs) {
    t.match(await earshot(run), { code: 0, stderr: 'earshot: connected as Ann\n' });
  }
});

t.test('subscribe / from the beginning, with a limit → lines of JSON, words on stderr, exit 0', async (t) => {
  const { url, http, publish } = await serverOn(t);
  for (const n of [1, 2, 3]) await publish({ n });
  const args = ['subscribe', 'lobby', '--offset', '-1', '--limit', '2', '--url', url];
  const { code, stdout, stderr } = await earshot({ args });
  t.equal(code, 0);
  t.match(jsonLines(stdout), [
    { type: 'message', channel: 'lobby', from: 'server', data: { n: 1 } },
    { type: 'message', channel: 'lobby', data: { n: 2 } },
  ]);
  t.equal(jsonLines(stdout).length, 2, 'and no more');
  t.match(stderr, /^earshot: connected as /);
  const [, second] = jsonLines(stdout) as readonly { readonly offset: string }[];
  const rest = ['subscribe', 'lobby', '--offset', second?.offset ?? '', '--limit', '1', '--url', http];
  t.match(jsonLines((await earshot({ args: rest })).stdout), [{ data: { n: 3 } }]);
});

t.test('subscribe / what a terminal would obey → escaped', async (t) => {
  const { url, publish } = await serverOn(t);
  await publish('\u001b[31m \u009b31m \u007f');
  const { stdout } = await earshot({
    args: ['subscribe', 'lobby', '--offset', '-1', '--limit', '1', '--url', url],
  });
  t.notMatch(stdout.trimEnd(), /\p{Cc}/u);
  t.match(jsonLines(stdout), [{ data: '\u001b[31m \u009b31m \u007f' }]);
});

t.test(
  'subscribe / two channels, live, with presence → each change a line; SIGINT ends it with 0',
  async (t) => {
    const { url, publish } = await serverOn(t);
    const child = await startEarshot(t, 'subscribe', 'a', 'b', 'a', '--presence', '--url', url);
    await child.says(/"type":"members","channel":"a".*"count":1/);
    await child.says(/"type":"members","channel":"b"/);
    const other = await peer(t, url);
    await other.call({ type: 'subscribe', channel: 'b', presence: true });
    await child.says(/"type":"joined","channel":"b","member":\{/);
    await publish('one', 'a');
    await child.says(/"type":"message","channel":"a".*"data":"one"/);
    await other.call({ type: 'unsubscribe', channel: 'b' });
    await child.says(/"type":"left","channel":"b","member":\{.*"cause":"\w+"/);
    process.kill(child.pid, 'SIGINT');
    t.strictSame(await child.ended, { code: 0, signal: null });
    t.equal(child.said().match(/"type":"members"/g)?.length, 2, 'only once each time that it begins');
  },
);

t.test('subscribe / a gap and a closed channel → told; ends when every channel is closed', async (t) => {
  const { app, url, publish } = await serverOn(t, { dev: true, retention: { messages: 1 } });
  const { offset } = await publish(1);
  await publish(2);
  await publish(3);
  const args = ['subscribe', 'lobby', '--url', url, '--offset', offset];
  const child = await startEarshot(t, ...args);
  await child.says(/"type":"gap","channel":"lobby","offset":"[^"]+","reason":"retention"/);
  await child.says(/"data":3/);
  await app.earshot.store.close('lobby');
  await child.says(/"type":"closed","channel":"lobby","offset":/);
  t.strictSame(await child.ended, { code: 0, signal: null });
});

t.test('subscribe / a channel that is refused → exit 1; one that is none → exit 2', async (t) => {
  const { url } = await serverOn(t, { token: { secret: SECRET }, anonymous: true });
  const { code, stdout, stderr } = await earshot({ args: ['subscribe', 'lobby', '--url', url] });
  t.strictSame([code, stdout], [1, '']);
  t.match(stderr, /^earshot: forbidden: /m);
  failsWith(t, await earshot({ args: ['subscribe', 'a b'] }), 2, /"a b" is not the name of a channel/);
  const limit = await earshot({ args: ['subscribe', 'a', '--limit', '0'] });
  t.match(limit, { code: 2, stderr: /^error: .*--limit/ });
});

t.test('subscribe / nobody reads any more (| head -1) → ends with 0, without a word', async (t) => {
  const { url, publish } = await serverOn(t);
  for (let n = 0; n < 50; n++) await publish({ n, text: 'x'.repeat(10_000) });
  const pipe = `{ node dist/cli.js subscribe lobby --offset -1 --url ${url}; echo "code $?" >&2; } | head -1`;
  const { stdout, stderr } = await runProcess('sh', ['-c', pipe]);
  t.equal(jsonLines(stdout).length, 1);
  t.match(stderr, /^code 0$/m);
  t.notMatch(stderr, /EPIPE|\n\s+at /);
});

t.test('subscribe / the line is cut → said on stderr; it comes back, and nothing is missing', async (t) => {
  const { http, publish } = await serverOn(t);
  const proxy = await tcpProxy(t, Number(new URL(http).port));
  const url = `http://127.0.0.1:${proxy.port}`;
  const child = await startEarshot(t, 'subscribe', 'lobby', '--offset', '-1', '--url', url);
  await publish(1);
  await child.says(/"data":1\}/);
  t.equal(proxy.cut(), 1);
  await child.says(/earshot: not connected: .*; again in/);
  await publish(2);
  await child.says(/"data":2\}/);
});

t.test('--url / of a WebSocket as it is; of HTTP → what is at ws below it', async (t) => {
  const table = {
    'ws://a/x': 'ws://a/x',
    'wss://a': 'wss://a',
    'http://127.0.0.1:8080': 'ws://127.0.0.1:8080/ws',
    'http://a:1/': 'ws://a:1/ws',
    'https://a/live/': 'wss://a/live/ws',
    'https://a/live/ws': 'wss://a/live/ws',
    'http://[::1]:8080/?b=c': 'ws://[::1]:8080/ws?b=c',
  };
  for (const [given, made] of Object.entries(table)) t.equal(socketUrl(given), made, given);
  for (const bad of ['', 'localhost:8080', 'not an address', 'ftp://a']) t.throws(() => socketUrl(bad), bad);
});

t.test('times and counts on the command line → with a unit; whole and from 1 on', async (t) => {
  const table = { '1ms': 1, '90s': 90_000, '15m': 900_000, '1h': 3_600_000, '7d': 604_800_000 };
  for (const [text, ms] of Object.entries(table)) t.equal(durationMs(text), ms, text);
  for (const bad of ['', '1', '0s', '-1s', '1.5h', '1 h', '1w', '9999999999s'])
    t.throws(() => durationMs(bad), bad);
  t.equal(positive('12'), 12);
  for (const bad of ['', '0', '-1', '1.5', 'a', '01']) t.throws(() => positive(bad), bad);
});
