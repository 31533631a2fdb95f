import type { Test } from 'tap';
import t from 'tap';
import type { Client, Subscription } from '../../src/client/node.js';
import { connect } from '../../src/client/node.js';
import { eventually } from '../support/app.js';
import { eventsIn } from '../support/events.js';
import { Lineage } from '../support/lineage.js';
import { peer } from '../support/peer.js';
import { byCommand, byPost, follow, JSON_TYPE } from '../support/persistence.js';
import { CURSOR_READERS, STREAM_READERS } from '../support/readers.js';
import type { Environment } from '../support/recipe-nodes.js';
import { recipeNginx, recipeNode, recipeRedis } from '../support/recipe-nodes.js';

const RECIPE = 'docs/recipes/two-nodes.md';
const CHANNEL = 'orders';
const EAGER = { minBackoffMs: 20, maxBackoffMs: 200 };
const TIMES = 10;
/** So that what is published as fast as it goes is not too fast. */
const UNHURRIED = { EARSHOT_LIMITS_COMMANDS_PER_SECOND: '1000000', EARSHOT_LIMITS_COMMAND_BURST: '1000000' };

/** All of the recipe: nginx, two nodes and Redis. */
async function cluster(t: Test, env: Environment = {}) {
  const redis = await recipeRedis(t);
  const all = { ...UNHURRIED, ...env };
  const nodes = [await recipeNode(t, redis, all), await recipeNode(t, redis, all)] as const;
  const { url } = await recipeNginx(t, nodes);
  return { redis, nodes, url, wsUrl: `${url.replace('http', 'ws')}/ws`, port: Number(new URL(url).port) };
}
type Cluster = Awaited<ReturnType<typeof cluster>>;

/** What is published, one after the other; `total` is known once the last is about to be. */
class Story {
  total = Number.POSITIVE_INFINITY;
  readonly #url: string;
  readonly #client: Client;
  #next = 0;

  constructor(url: string, client: Client) {
    this.#url = url;
    this.#client = client;
  }

  /** Publishes at least so many, and until it is true. */
  async goesOn(count: number, until: () => boolean | Promise<boolean> = () => true): Promise<void> {
    const atLeast = this.#next + count;
    await eventually('what is waited for', async () => {
      await this.#publish();
      return this.#next >= atLeast && (await until());
    });
  }

  async ends(): Promise<void> {
    this.total = this.#next + 1;
    await this.#publish();
  }

  /** Each again until somebody says that it is stored, and every fourth once more. */
  async #publish(): Promise<void> {
    const number = this.#next++;
    if (number % 3 === 2) return void (await this.#client.publish(CHANNEL, number));
    const send = number % 3 === 0 ? byPost : byCommand;
    for (let stored = 0; stored < (number % 4 === 0 ? 2 : 1); ) {
      if (await send(this.#url, CHANNEL, number, Math.floor(number / 3))) stored++;
    }
  }
}

/** Everything that a subscription brings, in the order in which it came. */
async function collect(subscription: Subscription, story: Story): Promise<Lineage> {
  const positions = new Lineage();
  positions.begins(CHANNEL, true);
  for await (const { data, offset } of subscription) {
    positions.takes(CHANNEL, [Number(data)], offset);
    if (positions.hasAllBefore(CHANNEL, story.total)) break;
  }
  return positions;
}

/** Whether both have served every technique since they were started. */
async function bothServe({ nodes }: Cluster): Promise<boolean> {
  for (const { metric } of nodes) {
    for (const transport of ['websocket', 'sse', 'long-poll', 'poll'])
      if ((await metric('earshot_sessions_total', { transport })) === 0) return false;
    if ((await metric('earshot_messages_in_total', { transport: 'http' })) === 0) return false;
  }
  return true;
}

t.test(
  `${RECIPE} / one node ends in order, the other is killed → every reader has all, and all once`,
  async (t) => {
    const on = await cluster(t);
    const { nodes, url, wsUrl, port } = on;
    t.equal((await fetch(`${url}/v1/stream/${CHANNEL}`, { method: 'PUT', headers: JSON_TYPE })).status, 201);
    const clients = Array.from({ length: 4 }, () => connect(wsUrl, EAGER));
    t.teardown(() => Promise.all(clients.map((client) => client.close())));
    const story = new Story(url, clients[0] ?? connect(wsUrl));
    const readers = Object.entries({ ...STREAM_READERS, ...CURSOR_READERS });
    const following = [
      ...readers.map(async ([name, read]) => {
        const restless = /socket|events/i.test(name);
        const total = () => story.total;
        return [name, await follow({ port, channel: CHANNEL, read, restless, total })] as const;
      }),
      ...clients.map(
        async (client) =>
          ['client', await collect(client.subscribe(CHANNEL, { offset: '-1' }), story)] as const,
      ),
    ];
    await story.goesOn(20, () => bothServe(on));

    const draining = nodes[0].stop('SIGTERM');
    await story.goesOn(20);
    t.strictSame(await draining, { code: 0, signal: null }, 'the first ends in order');
    await story.goesOn(10);
    await nodes[0].start();
    await story.goesOn(10, () => bothServe(on));

    await nodes[1].stop('SIGKILL');
    await story.goesOn(20);
    await nodes[1].start();
    await story.goesOn(10, () => bothServe(on));

    await story.ends();
    for (const [name, { messages, faults }] of await Promise.all(following))
      t.strictSame({ messages, faults }, { messages: story.total, faults: [] }, name);
    const kept = await fetch(`${url}/v1/stream/${CHANNEL}?offset=-1`);
    t.strictSame(
      await kept.json(),
      Array.from({ length: story.total }, (_, number) => number),
    );
  },
);

t.test(`${RECIPE} / two clients on different nodes → each sees the other come and go`, async (t) => {
  const { nodes, wsUrl } = await cluster(t);
  const [one, two] = [await peer(t, wsUrl), await peer(t, wsUrl)];
  for (const client of [one, two]) await client.next('welcome');
  for (const { metric } of nodes) t.equal(await metric('earshot_sessions'), 1, 'one each');
  for (const client of [one, two]) await client.call({ type: 'subscribe', channel: CHANNEL, presence: true });
  t.match(await one.next('joined'), { channel: CHANNEL });
  two.socket.close();
  t.match(await one.next('left'), { channel: CHANNEL });
});

t.test(
  `${RECIPE} / long-polls that wait at a node that ends → are passed on, and answered by the other`,
  async (t) => {
    const { nodes, url } = await cluster(t);
    const subscriptions = async () =>
      (await Promise.all(nodes.map(({ metric }) => metric('earshot_subscriptions')))).join();
    const channel = `${url}/v1/stream/${CHANNEL}`;
    t.equal((await fetch(channel, { method: 'PUT', headers: JSON_TYPE })).status, 201);
    const waiting = Array.from({ length: TIMES }, () => fetch(`${channel}?live=long-poll&offset=-1`));
    await eventually(
      'half of them at each',
      async () => (await subscriptions()) === `${TIMES / 2},${TIMES / 2}`,
    );
    t.strictSame(await nodes[0].stop('SIGTERM'), { code: 0, signal: null });
    await eventually('all of them at one', async () => (await subscriptions()) === `0,${TIMES}`);
    t.ok(await byCommand(url, CHANNEL, 1, 0));
    for (const response of await Promise.all(waiting)) {
      t.equal(response.status, 200);
      t.strictSame(await response.json(), [1]);
    }
  },
);

/** A node in the midst of its drain: one session a second is told, and it has some. */
async function inMidDrain(t: Test) {
  const on = await cluster(t, { EARSHOT_RECONNECTS_PER_SECOND: '1' });
  const [first] = on.nodes;
  const wsUrl = `${first.url.replace('http', 'ws')}/ws`;
  const sessions = await Promise.all(Array.from({ length: TIMES }, () => peer(t, wsUrl)));
  const ended = first.stop('SIGTERM');
  await Promise.race(sessions.map((session) => session.next('bye')));
  return { ...on, refused: () => first.metric('earshot_refusals_total'), ended };
}

t.test(`${RECIPE} / a node that drains → its GETs are served by the other, and nobody notices`, async (t) => {
  const { url, wsUrl, refused } = await inMidDrain(t);
  const channel = `${url}/v1/stream/${CHANNEL}`;
  const producer = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0' };
  await eventually('a channel', async () => {
    const { status } = await fetch(channel, { method: 'PUT', headers: JSON_TYPE });
    return status === 201 || status === 200;
  });
  for (let time = 0; time < TIMES; time++) {
    t.equal((await fetch(`${channel}?offset=-1`)).status, 200);
    const leave = new AbortController();
    const events = await fetch(`${channel}?offset=-1&live=sse`, { signal: leave.signal });
    t.equal(events.status, 200);
    t.ok((await eventsIn(events.body ?? new ReadableStream()).next()).value);
    leave.abort();
    const client = await peer(t, wsUrl);
    t.ok(await client.next('welcome'));
  }
  t.ok((await refused()) >= TIMES, 'it was asked, and refused');
  const statuses: number[] = [];
  while (new Set(statuses).size < 3) {
    const response = await fetch(channel, {
      method: 'POST',
      headers: { ...JSON_TYPE, ...producer },
      body: '[1]',
    });
    statuses.push(response.status);
    if (response.status === 503) t.match(response.headers.get('retry-after'), /^\d+$/);
  }
  t.strictSame([...new Set(statuses)].sort(), [200, 204, 503], 'a POST is refused there, stored, and known');
  t.strictSame(await (await fetch(`${channel}?offset=-1`)).json(), [1]);
});

t.test(
  `${RECIPE} / Redis is away → 503 of the nodes themselves, whoever is there stays; it is back → all goes on`,
  async (t) => {
    const { url, wsUrl, redis, nodes } = await cluster(t);
    const clients = [await peer(t, wsUrl), await peer(t, wsUrl)];
    for (const client of clients) await client.call({ type: 'subscribe', channel: CHANNEL });
    const publish = async (data: number) =>
      (
        await fetch(`${url}/v1/commands`, {
          method: 'POST',
          headers: JSON_TYPE,
          body: JSON.stringify([{ type: 'publish', id: 1, channel: CHANNEL, data }]),
        })
      ).json();
    t.match(await publish(1), [{ type: 'published' }]);
    await redis.stop('SIGKILL');
    for (const { url } of nodes) t.equal((await fetch(`${url}/readyz`)).status, 503);
    for (let time = 0; time < 4; time++) {
      const { status } = await fetch(`${url}/readyz`);
      t.equal(status, 503, 'and not 502: nginx goes on asking both');
    }
    t.match(await publish(2), [{ type: 'error', code: 'unavailable', advice: 'retry' }]);
    const late = await peer(t, wsUrl);
    t.match(await late.call({ type: 'subscribe', channel: CHANNEL }), {
      code: 'unavailable',
      advice: 'retry',
    });
    await redis.start();
    await eventually('ready again', async () => {
      const statuses = await Promise.all(nodes.map(async ({ url }) => (await fetch(`${url}/readyz`)).status));
      return statuses.every((status) => status === 200);
    });
    t.match(await publish(3), [{ type: 'published' }]);
    for (const client of clients) {
      t.match(await client.next('message'), { data: 1 });
      t.match(await client.next('message'), { data: 3 });
    }
  },
);
