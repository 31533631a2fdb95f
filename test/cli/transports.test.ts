import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Test } from 'tap';
import t from 'tap';
import { followOverHttp, HTTP_TRANSPORTS } from '../../src/cli/client/over-http.js';
import { eventsOf } from '../../src/cli/client/sse-reader.js';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import { earshot, failsWith, jsonLines, startEarshot } from '../support/command.js';
import { traceLog } from '../support/logs.js';
import { secret } from '../support/secrets.js';
import { tcpProxy } from '../support/tcp-proxy.js';

async function serverOn(t: Test, options: EarshotOptions = { dev: true }) {
  const app = await createApp({ maxEventLoopDelayMs: 3_600_000, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) };
}

for (const transport of HTTP_TRANSPORTS) {
  const how = ['--transport', transport, '--every', '10ms'];

  t.test(`subscribe --transport ${transport} / cut in between → every message once, in order`, async (t) => {
    const { app, url } = await serverOn(t);
    const proxy = await tcpProxy(t, Number(new URL(url).port));
    const through = `http://127.0.0.1:${proxy.port}`;
    const args = ['subscribe', 'a', 'b', '--offset', '-1', '--limit', '40', '--url', through, ...how];
    const child = await startEarshot(t, ...args);
    await child.says(new RegExp(`earshot: connected over ${transport}`));
    for (let n = 0; n < 20; n++) {
      await app.earshot.publish('a', n);
      await app.earshot.publish('b', n);
      if (n % 7 === 3) proxy.cut();
    }
    t.strictSame(await child.ended, { code: 0, signal: null });
    const lines = jsonLines(
      child
        .said()
        .replace(/^earshot: .*$/gm, '')
        .trim(),
    ) as readonly {
      readonly channel: string;
      readonly data: number;
    }[];
    for (const name of ['a', 'b']) {
      const seen = lines.filter(({ channel }) => channel === name).map(({ data }) => data);
      t.strictSame(
        seen,
        Array.from({ length: 20 }, (_, n) => n),
      );
    }
  });

  t.test(`subscribe --transport ${transport} / gaps and ends → told as over a WebSocket`, async (t) => {
    const { app, url } = await serverOn(t, { dev: true, retention: { messages: 1 } });
    const { offset } = await app.earshot.publish('a', 1);
    await app.earshot.publish('a', 2);
    await app.earshot.publish('a', 3);
    await app.earshot.channels.close('a');
    const { code, stdout } = await earshot({
      args: ['subscribe', 'a', '--offset', offset, '--url', url, ...how],
    });
    t.equal(code, 0);
    t.match(jsonLines(stdout), [
      { type: 'gap', channel: 'a', reason: 'retention' },
      { type: 'message', data: 3 },
      { type: 'closed', channel: 'a' },
    ]);
  });

  t.test(`subscribe --transport ${transport} / refused → exit 1, and why`, async (t) => {
    const { url } = await serverOn(t, {
      token: { secret: secret('of the tests, longer than 32 bytes by far') },
    });
    const run = { args: ['subscribe', 'a', '--url', url, ...how] };
    failsWith(t, await earshot(run), 1, /unauthenticated: a token is needed/);
  });
}

/** A server that begins an answer of the type and leaves it there. */
async function halfAnswering(t: Test, type: string) {
  let isBegun = () => {};
  const begun = new Promise<void>((resolve) => (isBegun = resolve));
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': type });
    response.write(type === 'text/event-stream' ? ': begun\n\n' : '{"cursor":', () => isBegun());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, begun };
}

for (const [transport, type] of [
  ['sse', 'text/event-stream'],
  ['poll', 'application/json'],
] as const) {
  t.test(
    `subscribe --transport ${transport} / told to stop in the middle of an answer → it does`,
    async (t) => {
      setFlagsFromString('--expose-gc');
      const collect: () => void = runInNewContext('gc');
      const { url, begun } = await halfAnswering(t, type);
      const stop = new AbortController();
      const io = { env: {}, cwd: '.', stdin: process.stdin, stdout: () => {}, stderr: () => {} };
      const rest = { token: undefined, channels: ['a'], offset: 'now', presence: false, everyMs: 10 };
      const following = followOverHttp(io, {
        url,
        transport,
        ...rest,
        signal: stop.signal,
        tell: () => true,
      });
      await begun;
      for (let times = 0; times < 10; times++) {
        await new Promise((resolve) => setImmediate(resolve));
        collect(); // with what `fetch` holds its signal by, once there is a response
      }
      stop.abort();
      await following;
      t.pass('it has ended');
    },
  );
}

t.test('subscribe --transport / none that there is → exit 2, and those that there are', async (t) => {
  const { code, stderr } = await earshot({ args: ['subscribe', 'a', '--transport', 'pigeon'] });
  t.equal(code, 2);
  t.match(stderr, /websocket, sse, long-poll, poll/);
});

t.test('events / in any pieces → those that are complete', async (t) => {
  const text = ':\n\nid: 1\n\ndata:{"a":\ndata: "é"}\nid: 2\n\nevent: x\ndata:cut';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 3, 1000]) {
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    const events = [];
    for await (const event of eventsOf(pieces())) events.push(event);
    t.strictSame(events, [
      { id: '1', data: '' },
      { id: '2', data: '{"a":\n"é"}' },
    ]);
  }
});
