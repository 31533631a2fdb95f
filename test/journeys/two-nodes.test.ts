import type { Test } from 'tap';
import t from 'tap';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { appOn, eventually } from '../support/app.js';
import { byCommand, byPost, follow, JSON_TYPE } from '../support/persistence.js';
import { nginxWith } from '../support/proxies.js';
import { CURSOR_READERS, STREAM_READERS } from '../support/readers.js';

const CHANNEL = 'orders';
const TOTAL = 60;
const DIES_AT = 30;

/** Two nodes with one store, and nginx that takes turns between them. */
async function cluster(t: Test) {
  const store = new MemoryStore();
  t.teardown(() => store.end());
  const nodes = [await node(t, store), await node(t, store)] as const;
  const servers = nodes.map(({ port }) => `server 127.0.0.1:${port};`).join(' ');
  const { url } = await nginxWith(
    t,
    (port) => `upstream earshot { ${servers} }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://earshot; } }`,
  );
  return { nodes, url, port: Number(new URL(url).port) };
}

async function node(t: Test, store: MemoryStore) {
  const { app, port } = await appOn(t, { store });
  const served = new Set<string>();
  app.server.on('request', ({ url = '', method }) => served.add(`${method} ${url.split('?')[0]}`));
  return {
    port,
    served,
    /** All at once, and without a word. */
    die() {
      app.server.close();
      app.server.closeAllConnections();
    },
  };
}

/** Publishes each message until somebody says that it is stored, and every third once more. */
async function publish(url: string, number: number): Promise<void> {
  const [seq, isCommand] = [Math.floor(number / 2), number % 2 === 1];
  const send = isCommand ? byCommand : byPost;
  for (let stored = 0; stored < (number % 3 === 0 ? 2 : 1); )
    if (await send(url, CHANNEL, number, seq)) stored++;
}

t.test('two nodes / taking turns, and one that dies → nothing is lost, nothing comes twice', async (t) => {
  const { nodes, url, port } = await cluster(t);
  t.equal((await fetch(`${url}/v1/stream/${CHANNEL}`, { method: 'PUT', headers: JSON_TYPE })).status, 201);
  const { longPoll, poll, events } = STREAM_READERS;
  const { readPoll, readLongPoll, readEvents } = CURSOR_READERS;
  const following = Object.entries({ longPoll, poll, events, readPoll, readLongPoll, readEvents }).map(
    async ([name, read]) => {
      const restless = name.toLowerCase().includes('events');
      return [name, await follow({ port, channel: CHANNEL, read, restless, total: () => TOTAL })] as const;
    },
  );
  const all = (served: ReadonlySet<string>) =>
    [`GET /v1/stream/${CHANNEL}`, `POST /v1/stream/${CHANNEL}`, 'GET /v1/read', 'POST /v1/commands'].every(
      (each) => served.has(each),
    );
  for (let number = 0; number < TOTAL; number++) {
    if (number === DIES_AT) {
      await eventually('work for both', () => nodes.every(({ served }) => all(served)));
      nodes[1].die();
    }
    await publish(url, number);
  }
  for (const [name, { messages, faults }] of await Promise.all(following))
    t.strictSame({ messages, faults }, { messages: TOTAL, faults: [] }, name);
  const stored = await fetch(`${url}/v1/stream/${CHANNEL}?offset=-1`);
  t.strictSame(
    await stored.json(),
    Array.from({ length: TOTAL }, (_, number) => number),
    'each is stored once',
  );
});
