import { Agent, request } from 'node:http';
import type { Test } from 'tap';
import t from 'tap';
import { eventually } from '../support/app.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import { isProblem, type Scene } from './scene.js';
import type { StreamScene } from './streams-scene.js';
import {
  ask,
  bad,
  JSON_BODY,
  post,
  put,
  requestText,
  sessionsLeft,
  streamScene,
  tailOf,
  undisturbedStreams,
} from './streams-scene.js';

t.setTimeout(180_000);

const POLL = '/v1/stream/a?offset=now&live=long-poll';
const EVENTS = '/v1/stream/a?offset=now&live=sse';
const fork = (source: string) => ({ 'stream-forked-from': `/v1/stream/${source}` });

/** Somebody else is served all the while. */
async function served(t: Test, on: StreamScene, attack: () => Promise<unknown>): Promise<void> {
  const ask = () => on.bystander.call({ type: 'ping' });
  const answers = [ask()];
  const asking = setInterval(() => answers.push(ask()), 50);
  await attack().finally(() => clearInterval(asking));
  for (const { type } of await Promise.all(answers)) t.equal(type, 'pong');
}

/** Does it so often, `width` at a time. */
async function inParallel(
  times: number,
  width: number,
  work: (at: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < times) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** A request on a connection of its own: what came when it ends, and the way to cut it. */
function waiter({ url }: Scene, path: string, agent: Agent) {
  const sent = request(url + path, { agent });
  const got = new Promise<string>((resolve) => {
    sent.on('error', () => resolve('cut'));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('close', () => resolve(text));
    });
  });
  sent.end();
  return { got, cut: () => sent.destroy() };
}

t.test(
  '2,000 that long-poll and 500 streams of events / from one process → each gets the message once',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'a');
    const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
    await served(t, on, async () => {
      const polls: ReturnType<typeof waiter>[] = [];
      const streams: ReturnType<typeof waiter>[] = [];
      await inParallel(2500, 1, async (at) => {
        if (at < 2000) polls.push(waiter(on, POLL, agent));
        else streams.push(waiter(on, EVENTS, agent));
        if (at % 100 === 99)
          await eventually('their sessions', () => on.app.earshot.stats().sessions === at + 3);
      });
      t.equal(await on.metric('earshot_sessions', { transport: 'sse' }), 500);
      t.equal((await post(on, 'a', '"a message"')).status, 204);
      const told = await Promise.all(polls.map(({ got }) => got));
      t.equal(told.filter((text) => text === '["a message"]').length, 2000);
      t.equal(await on.metric('earshot_messages_out_total', { transport: 'sse' }), 500);
      on.app.earshot.sessions.list().forEach(({ id, transport }) => {
        if (transport === 'sse') on.app.earshot.sessions.end(id);
      });
      const seen = await Promise.all(streams.map(({ got }) => got));
      t.equal(seen.filter((text) => text.split('"a message"').length === 2).length, 500);
    });
    t.equal(await on.metric('earshot_messages_out_total', { transport: 'long-poll' }), 2000);
    await sessionsLeft(on, 2);
    await undisturbedStreams(t, on);
  },
);

t.test('connects and disconnects in a loop → nothing is left', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  const agent = new Agent({ keepAlive: false });
  await served(t, on, () =>
    inParallel(1000, 50, async (at) => {
      const { got, cut } = waiter(on, at % 2 === 0 ? POLL : EVENTS, agent);
      if (at % 3 !== 0) await new Promise((resolve) => setImmediate(resolve));
      cut();
      await got;
    }),
  );
  await sessionsLeft(on, 2);
  t.match(on.app.earshot.stats(), { subscriptions: 1, channels: 1 });
  await undisturbedStreams(t, on);
});

t.test('requests one behind the other on one connection → each is answered, in order', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  const raw = await rawConnect(t, on.port);
  const bodies = Array.from({ length: 500 }, (_, at) => String(at));
  await served(t, on, async () => {
    const texts = bodies.map((body) =>
      requestText({
        method: 'POST',
        path: '/v1/stream/a',
        headers: { ...JSON_BODY, connection: 'keep-alive' },
        body,
      }),
    );
    void raw.send(Buffer.concat(texts));
    for (const _ of bodies) t.equal((await raw.response()).status, 204);
  });
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), `[${bodies.join(',')}]`);
  await undisturbedStreams(t, on);
});

t.test(
  'reads of 128 channels each / without end → room is made for names that nobody writes to',
  async (t) => {
    const on = await streamScene(t, { limits: { maxChannels: 1000 } });
    const path = (at: number) =>
      `/v1/read?${Array.from({ length: 128 }, (_, each) => `channel=r${at}/${each}`).join('&')}`;
    await served(t, on, () =>
      inParallel(200, 5, async (at) => t.equal((await fetch(on.url + path(at))).status, 200)),
    );
    t.match(await on.app.earshot.channels.list(), { length: 1 }, 'only what was written to');
    await sessionsLeft(on, 2);
    await undisturbedStreams(t, on);
  },
);

t.test(
  'channels / up to as many as there may be → 429 for one more, for one that is deleted there is room',
  async (t) => {
    const on = await streamScene(t, { limits: { maxChannels: 100 } });
    for (let at = 1; at < 100; at++) t.equal((await put(on, `c${at}`)).status, 201);
    for (const headers of [{}, fork('c1')]) {
      const refused = await ask(t, on, { method: 'PUT', path: '/v1/stream/more', headers });
      isProblem(t, refused, { status: 429, code: 'too_many' });
      t.match(refused.headers['retry-after'], /^\d+$/);
    }
    isProblem(t, await ask(t, on, { path: '/v1/read?channel=more' }), { status: 429, code: 'too_many' });
    t.equal((await post(on, 'c1', '1')).status, 204, 'what is there goes on');
    t.equal((await fetch(`${on.url}/v1/stream/c2`, { method: 'DELETE' })).status, 204);
    t.equal((await put(on, 'more')).status, 201);
    await undisturbedStreams(t, on);
  },
);

t.test(
  'forks / of forks, 100 deep → each has all before it; deleted from the root on, nothing is left',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'f0', {}, '[0]');
    for (let at = 1; at <= 100; at++) {
      t.equal((await put(on, `f${at}`, fork(`f${at - 1}`))).status, 201);
      await post(on, `f${at}`, String(at));
    }
    const all = Array.from({ length: 101 }, (_, at) => at);
    t.strictSame(await (await fetch(`${on.url}/v1/stream/f100`)).json(), all);
    const halfway = await tailOf(on, 'f50');
    t.strictSame(await (await fetch(`${on.url}/v1/stream/f100?offset=${halfway}`)).json(), all.slice(51));
    for (let at = 0; at < 100; at++)
      t.equal((await fetch(`${on.url}/v1/stream/f${at}`, { method: 'DELETE' })).status, 204);
    t.equal((await fetch(`${on.url}/v1/stream/f7`)).status, 410);
    t.equal((await put(on, 'f7')).status, 409);
    t.strictSame(await (await fetch(`${on.url}/v1/stream/f100`)).json(), all);
    t.equal((await fetch(`${on.url}/v1/stream/f100`, { method: 'DELETE' })).status, 204);
    t.equal((await fetch(`${on.url}/v1/stream/f7`)).status, 404);
    t.match(await on.app.earshot.channels.list(), { length: 1 });
    await undisturbedStreams(t, on);
  },
);

t.test('forks / until the store is full → unavailable, and others are served', async (t) => {
  const on = await streamScene(t, { limits: { maxStoreBytes: 1024 * 1024 } });
  await on.app.earshot.publish('others', 'before');
  await put(on, 'bomb', {}, JSON.stringify([secret('x'.repeat(50_000)), 'y']));
  let forks = 0;
  let refused = await forkOnce();
  while (refused.status === 201) {
    forks++;
    refused = await forkOnce();
  }
  isProblem(t, refused, bad('unavailable', 503));
  t.ok(forks > 10 && forks < 21, `${forks} forks of 50 KB in 1 MB`);
  const more = {
    method: 'POST',
    path: '/v1/stream/bomb',
    headers: JSON_BODY,
    body: `"${'z'.repeat(60_000)}"`,
  };
  isProblem(t, await ask(t, on, more), bad('unavailable', 503));
  isProblem(t, await ask(t, on, { ...more, method: 'PUT', path: '/v1/stream/new' }), bad('unavailable', 503));
  t.equal((await fetch(`${on.url}/v1/stream/new`)).status, 404);
  t.match(await on.bystander.call({ type: 'publish', channel: 'others', data: 'small' }), {
    type: 'published',
  });
  t.match(await on.bystander.call({ type: 'history', channel: 'others' }), { messages: { length: 2 } });
  await fetch(`${on.url}/v1/stream/bomb`, { method: 'DELETE' });
  await fetch(`${on.url}/v1/stream/fork0`, { method: 'DELETE' });
  t.equal(
    (await put(on, 'new', {}, `"${'z'.repeat(60_000)}"`)).status,
    201,
    'what is deleted gives its room back',
  );
  await undisturbedStreams(t, on);

  function forkOnce() {
    const headers = { ...JSON_BODY, ...fork('bomb') };
    return ask(t, on, { method: 'PUT', path: `/v1/stream/fork${forks}`, headers });
  }
});

t.test('lifetimes / that are over at once → made, and gone, again and again', async (t) => {
  const on = await streamScene(t, { limits: { maxChannels: 10 } });
  const past = new Date(Date.now() - 1000).toISOString();
  for (const lifetime of [{ 'stream-ttl': '0' }, { 'stream-expires-at': past }]) {
    for (let each = 0; each < 30; each++) {
      t.equal((await put(on, 'brief', lifetime, '[1]')).status, 201);
      t.equal((await fetch(`${on.url}/v1/stream/brief`)).status, 404);
      t.equal((await post(on, 'brief', '1')).status, 404);
    }
    isProblem(t, await ask(t, on, { path: '/v1/stream/brief?offset=-1&live=sse' }), bad('not_found', 404));
  }
  await undisturbedStreams(t, on);
});
