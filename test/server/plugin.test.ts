import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import fastifyWebsocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import type { Test } from 'tap';
import t from 'tap';
import { WebSocket } from 'ws';
import { createApp } from '../../src/server/app.js';
import type { Earshot } from '../../src/server/earshot.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { OptionsError } from '../../src/server/options/options.js';
import { earshot } from '../../src/server/plugin.js';
import { peer } from '../support/peer.js';
import { frame, handshake, OPCODES, parseFrames, rawConnect } from '../support/raw-socket.js';
import type { Teardown } from '../support/spawn.js';
import { isProblem, ours } from './scene.js';

/** Somebody's application, which we are told of. */
async function listening(t: Teardown, app: FastifyInstance): Promise<number> {
  t.teardown(() => app.close());
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port);
}

function portOf(app: FastifyInstance): number {
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function listeningServer(t: Teardown, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A peer can connect, publish and read. */
async function works(t: Test, url: string): Promise<void> {
  const client = await peer(t, url);
  await client.next('welcome');
  await client.call({ type: 'subscribe', channel: 'a' });
  await client.call({ type: 'publish', channel: 'a', data: 1 });
  t.match(await client.next('message'), { channel: 'a', data: 1 }, url);
}

/** A WebSocket of @fastify/websocket's echoes. */
async function echoes(t: Test, url: string): Promise<void> {
  const socket = new WebSocket(url);
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  socket.send('hello');
  const [data] = await once(socket, 'message');
  t.equal(String(data), 'hello', url);
}

async function status(t: Test, port: number, bytes: string) {
  const raw = await rawConnect(t, port);
  await raw.send(bytes);
  const response = await raw.response();
  return { ...response, raw };
}

t.test(
  "plugin / on somebody's application, with a prefix → ours are below it, the rest is theirs",
  async (t) => {
    const app = fastify();
    app.get('/', async () => 'theirs');
    app.setNotFoundHandler(async (_request, reply) => reply.code(404).send('their 404'));
    app.setErrorHandler(async (_error, _request, reply) => reply.code(500).send('their error'));
    app.get('/broken', async () => {
      throw new Error('broken');
    });
    await app.register(earshot, { dev: true, prefix: '/rt' });
    const port = await listening(t, app);
    const text = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    t.equal(await text('/'), 'theirs');
    t.equal(await text('/none'), 'their 404');
    t.equal(await text('/broken'), 'their error');
    t.equal(await text('/livez'), 'their 404');
    t.equal(await text('/rt/livez'), '{"status":"ok"}');
    t.match(await text('/rt/ws'), 'upgrade_required');
    await works(t, `ws://127.0.0.1:${port}/rt/ws`);
    const elsewhere = await status(t, port, ours());
    isProblem(t, elsewhere, { status: 404, code: 'not_found' });
    await elsewhere.raw.closed;
    t.match(await app.earshot.publish('a', { by: 'the server' }), { duplicate: false });
    t.equal(app.earshot.sessions.list()[0]?.transport, 'websocket');
  },
);

t.test('plugin / a path of its own, probes and metrics left to the host → as told', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true, path: '/live/socket', probes: false, metrics: false });
  const port = await listening(t, app);
  for (const path of ['/livez', '/readyz', '/health', '/metrics', '/ws']) {
    t.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 404, path);
  }
  await works(t, `ws://127.0.0.1:${port}/live/socket`);
});

t.test('plugin / options that can not be → the register rejects with what is wrong', async (t) => {
  const bad: readonly (readonly [EarshotOptions, RegExp])[] = [
    [{}, /nobody could connect/],
    [{ dev: true, prefix: '/a/' }, /^prefix: /],
    [{ dev: true, plainChannel: 'a b' }, /^plainChannel: /],
    [{ dev: true, limits: { maxFrameBytes: 0 } }, /^limits\.maxFrameBytes: /],
    [{ dev: true, speed: 9 } as EarshotOptions, /speed: unknown option/],
  ];
  for (const [options, message] of bad) {
    const app = fastify();
    const error = await Promise.resolve(app.register(earshot, options)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    t.type(error, OptionsError);
    t.match(error, { message });
    await app.close();
  }
});

for (const order of ['before', 'after'] as const) {
  t.test(`plugin / @fastify/websocket registered ${order} → both serve their paths`, async (t) => {
    const app = fastify();
    const theirs = async () => {
      await app.register(fastifyWebsocket);
      await app.register(async (scope) => {
        scope.get('/echo', { websocket: true }, (socket) => {
          socket.on('message', (data) => socket.send(String(data)));
        });
      });
    };
    if (order === 'before') await theirs();
    await app.register(earshot, { dev: true });
    if (order === 'after') await theirs();
    const port = await listening(t, app);
    for (let times = 0; times < 3; times++) {
      await echoes(t, `ws://127.0.0.1:${port}/echo`);
      await works(t, `ws://127.0.0.1:${port}/ws`);
    }
    const none = await status(t, port, ours({ path: '/none' }));
    t.equal(none.status, 404, 'answered once, by them');
    await none.raw.closed;
    t.equal(none.raw.received().length, 0);
    const refused = await status(t, port, ours({ version: 12 }));
    isProblem(t, refused, { status: 400, code: 'bad_handshake' });
    await refused.raw.closed;
    t.equal(refused.raw.received().length, 0, 'and ours by us alone');
    await app.close();
  });
}

t.test('plugin / twice, under prefixes of their own → both serve, each its own', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true, prefix: '/a' });
  await app.register(earshot, { dev: true, prefix: '/b', decorateAs: 'second' });
  const port = await listening(t, app);
  await works(t, `ws://127.0.0.1:${port}/a/ws`);
  await works(t, `ws://127.0.0.1:${port}/b/ws`);
  const second = app.getDecorator<Earshot>('second');
  await second.publish('only-b', 1);
  const client = await peer(t, `ws://127.0.0.1:${port}/a/ws`);
  t.match(await client.call({ type: 'history', channel: 'only-b' }), { messages: [] });
  t.equal(second.sessions.count, 1);
});

t.test(
  'plugin / twice under one name, or on one path → a clear error, and nothing left behind',
  async (t) => {
    const sameName = fastify();
    await sameName.register(earshot, { dev: true, prefix: '/a' });
    await t.rejects(Promise.resolve(sameName.register(earshot, { dev: true, prefix: '/b' })), {
      message: /decorator "earshot".*decorateAs/,
    });
    await sameName.close();
    const taken = fastify();
    taken.decorate('realtime', 'theirs');
    await t.rejects(Promise.resolve(taken.register(earshot, { dev: true, decorateAs: 'realtime' })), {
      message: /decorator "realtime"/,
    });
    await taken.close();
    const samePath = fastify();
    await samePath.register(earshot, { dev: true });
    await t.rejects(Promise.resolve(samePath.register(earshot, { dev: true, decorateAs: 'second' })), {
      message: /\/ws has a WebSocket/,
    });
    await samePath.close();
  },
);

t.test('plugin / never listened → serves inject, and closes', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true });
  t.match(await app.inject('/livez'), { statusCode: 200 });
  await app.close();
  t.equal(app.server.listenerCount('upgrade'), 0);
});

t.test('server / of somebody else, with a handler of its own → theirs is theirs, ours is ours', async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/' ? 200 : 404).end(`theirs ${request.url}`);
  });
  const port = await listeningServer(t, server);
  const app = await createApp({ dev: true }, { server });
  t.teardown(() => app.close());
  const text = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  t.equal(await text('/'), 'theirs /');
  t.equal(await text('/none?a'), 'theirs /none?a');
  t.equal(await text('/v1'), 'theirs /v1');
  t.equal(await text('/livez?a'), '{"status":"ok"}');
  t.match(await text('/metrics'), 'earshot_sessions');
  t.match(await text('/v1/none'), 'not_found');
  t.match(await text('/v1/session'), 'earshot.v1.json');
  t.match(await text('/ws'), 'upgrade_required');
  await works(t, `ws://127.0.0.1:${port}/ws`);
  isProblem(t, await status(t, port, ours({ path: '/none' })), { status: 404, code: 'not_found' });
  const h2c = handshake({ path: '/', headers: { upgrade: 'h2c' } });
  t.match(await status(t, port, h2c), { status: 200, body: 'theirs /' });
});

t.test('server / of somebody else, with upgrades of its own → both serve', async (t) => {
  const server = createServer();
  server.on('upgrade', (request, socket) =>
    socket.end(`HTTP/1.1 418 theirs\r\ncontent-length: 0\r\n\r\n`, () => request.resume()),
  );
  const port = await listeningServer(t, server);
  const app = await createApp({ dev: true }, { server });
  t.teardown(() => app.close());
  await works(t, `ws://127.0.0.1:${port}/ws`);
  t.equal((await status(t, port, ours({ path: '/theirs' }))).status, 418);
  t.equal(
    (await fetch(`http://127.0.0.1:${port}/livez`)).status,
    200,
    'without a handler, all requests are ours',
  );
  t.equal((await fetch(`http://127.0.0.1:${port}/none`)).status, 404);
});

t.test('server / of somebody else, after our close → is as it was', async (t) => {
  const server = createServer((_request, response) => response.end('theirs'));
  const port = await listeningServer(t, server);
  const { emit } = server;
  const app = await createApp({ dev: true }, { server });
  const client = await peer(t, `ws://127.0.0.1:${port}/ws`);
  await app.close();
  t.match(await client.closed, { code: 1012 });
  t.equal(server.emit, emit, 'nothing of ours is in the way');
  t.equal(server.listenerCount('upgrade'), 0);
  t.equal(server.listening, true, 'whoever made it ends it');
  t.equal(await (await fetch(`http://127.0.0.1:${port}/livez`)).text(), 'theirs');
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 418 theirs\r\ncontent-length: 0\r\n\r\n'));
  t.equal((await status(t, port, ours())).status, 418, 'a later listener gets our path');
});

t.test('close / given back out of order → the others go on', async (t) => {
  const server = createServer();
  const port = await listeningServer(t, server);
  const [first, second] = [
    await createApp({ dev: true, prefix: '/a' }, { server }),
    await createApp({ dev: true, prefix: '/b' }, { server }),
  ];
  t.teardown(() => second.close());
  await first.close();
  await works(t, `ws://127.0.0.1:${port}/b/ws`);
  t.equal((await status(t, port, ours({ path: '/a/ws' }))).status, 404);
});

t.test(
  'close / with open WebSockets, one of which reads nothing → bye, 1012, and it does not hang',
  async (t) => {
    const app = fastify();
    await app.register(earshot, { dev: true });
    const port = await listening(t, app);
    const client = await peer(t, `ws://127.0.0.1:${port}/ws`);
    await client.next('welcome');
    const deaf = await status(t, port, ours());
    deaf.raw.socket.pause();
    const silent = await status(t, port, ours());
    const since = performance.now();
    const closing = app.close();
    const bye = await client.next('bye');
    t.match(bye, { code: 'draining', advice: 'retry' });
    t.ok(bye.afterMs && bye.afterMs[0] >= 0 && bye.afterMs[1] >= bye.afterMs[0]);
    t.match(await client.closed, { code: 1012, reason: 'draining' });
    await closing;
    t.ok(performance.now() - since < 5000);
    await silent.raw.closed;
    deaf.raw.socket.resume();
    await deaf.raw.closed;
  },
);

t.test('close / a peer with 1 MB queued that reads nothing → it does not hang', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true, drainTimeoutMs: 1500 });
  const port = await listening(t, app);
  const deaf = await status(t, port, ours());
  await deaf.raw.send(frame({ payload: '{"type":"subscribe","id":1,"channel":"a"}' }));
  await deaf.raw.readUntil((bytes) => String(bytes).includes('subscribed'));
  deaf.raw.socket.pause();
  for (let n = 0; n < 200; n++) await app.earshot.publish('a', 'x'.repeat(50_000));
  const since = performance.now();
  await app.close();
  t.ok(performance.now() - since < 5000);
});

t.test('close / while a token is being checked → the caller is refused, and it does not hang', async (t) => {
  const app = fastify();
  let ask: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const verifyClient = () => {
    ask();
    return new Promise<boolean>(() => {});
  };
  await app.register(earshot, { dev: true, verifyClient, handshakeTimeoutMs: 300 });
  const port = await listening(t, app);
  const raw = await rawConnect(t, port);
  await raw.send(ours());
  await asked;
  const closing = app.close();
  t.equal((await raw.response()).status, 503);
  await closing;
  await raw.closed;
});

t.test('close / an upgrade that comes while it drains → 503 in words', async (t) => {
  const app = fastify();
  let drained: () => void = () => {};
  await app.register(earshot, { dev: true });
  app.addHook('preClose', async () => {
    await new Promise<void>((resolve) => {
      drained = resolve;
    });
  });
  const port = await listening(t, app);
  const early = await rawConnect(t, port);
  const closing = app.close();
  await early.send(ours());
  const response = await early.response();
  isProblem(t, response, { status: 503, code: 'draining' });
  t.match(response.headers['retry-after'], /^\d+$/);
  await early.closed;
  drained();
  await closing;
});

for (const [what, bytes] of Object.entries({
  'has never sent a byte': '',
  'has sent half a header': 'GET /livez HTTP/1.1\r\nHost:',
})) {
  t.test(`close / a connection that ${what} → is cut, and does not hold it up`, async (t) => {
    const app = fastify();
    await app.register(earshot, { dev: true, drainTimeoutMs: 600_000 });
    const raw = await rawConnect(t, await listening(t, app));
    const [connected] = await Promise.all([once(app.server, 'connection'), rawConnect(t, portOf(app))]);
    t.ok(connected);
    await raw.send(bytes);
    await app.close();
    await raw.closed;
  });
}

t.test('close / a request that is being answered → is answered first', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true });
  let asked = () => {};
  let answer = (_text: string) => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  app.get('/slow', () => {
    asked();
    return new Promise<string>((resolve) => {
      answer = resolve;
    });
  });
  const port = await listening(t, app);
  const response = fetch(`http://127.0.0.1:${port}/slow`);
  await begun;
  const closed = app.close();
  answer('at last');
  t.equal(await (await response).text(), 'at last');
  await closed;
});

t.test(
  'prefix / of the scope that it is registered in → counts for the WebSocket as for the routes',
  async (t) => {
    const app = fastify();
    await app.register(async (scope) => scope.register(earshot, { dev: true, prefix: '/rt' }), {
      prefix: '/api',
    });
    const port = await listening(t, app);
    t.equal((await fetch(`http://127.0.0.1:${port}/api/rt/livez`)).status, 200);
    await works(t, `ws://127.0.0.1:${port}/api/rt/ws`);
  },
);

t.test('close / twice, and drain before it → one end', async (t) => {
  const app = fastify();
  await app.register(earshot, { dev: true });
  const port = await listening(t, app);
  const raw = await status(t, port, ours());
  const [first, second] = [app.earshot.drain(), app.earshot.drain()];
  t.equal(first, second);
  const frames = await raw.raw.readUntil((bytes) => {
    const { frames } = parseFrames(bytes);
    return frames.some(({ opcode }) => opcode === OPCODES.close) && frames;
  });
  t.equal(frames.filter(({ payload }) => String(payload).includes('"bye"')).length, 1);
  await first;
  await app.close();
});
