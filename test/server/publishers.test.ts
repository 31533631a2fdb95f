import type { Test } from 'tap';
import t from 'tap';
import { MAX_COMMANDS_IN_FLIGHT } from '../../src/core/limits.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { eventually } from '../support/app.js';
import { SlowStore } from '../support/fake-stores.js';
import type { RawSocket } from '../support/raw-socket.js';
import { frame, parseFrames, rawConnect } from '../support/raw-socket.js';
import { connected, type Scene, scene, undisturbed, upgraded } from './scene.js';
import { JSON_BODY, put, requestText } from './streams-scene.js';

const FLOODED = 'flooded';
/** Reads of one connection. */
const AT_A_TIME = 128;
/** Requests of one connection that begin in one turn of the event loop. */
const A_TURN = 16;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** A server whose store is slow with one channel. */
async function slowScene(t: Test) {
  const kept = { messages: 100_000, ageMs: 3_600_000, bytes: 1e9 };
  const store = new SlowStore(new MemoryStore({ retention: () => kept }));
  const on = await scene(t, { store, limits: { commandsPerSecond: 1e6, commandBurst: 1e6 } });
  await put(on, FLOODED);
  const letGo = store.hold('append', FLOODED);
  t.teardown(letGo);
  return { on, store, letGo };
}

/** Others publish and are answered, so often that the server has looked at everything many times meanwhile. */
async function othersPublish({ bystander }: Scene): Promise<void> {
  for (const data of range(1, 100)) {
    const { type } = await bystander.call({ type: 'publish', channel: 'others', data });
    if (type !== 'published') throw new Error(`the bystander was told ${type}`);
  }
}

async function stored(store: SlowStore): Promise<unknown[]> {
  const { messages } = await store.read(FLOODED, '-1', { messages: 100_000, bytes: 1e9 });
  return messages.map(({ data }) => JSON.parse(String(data)));
}

t.test(
  'a WebSocket / publishes without end to a slow store → little of it is taken, others are answered; then all, in order',
  async (t) => {
    const { on, store, letGo } = await slowScene(t);
    const { raw, socket } = await connected(on, () => upgraded(t, on.port));
    const padding = 'x'.repeat(1000);
    const count = 10_000;
    const flood = range(1, count).map((id) =>
      frame({ payload: JSON.stringify({ type: 'publish', id, channel: FLOODED, data: { id, padding } }) }),
    );
    void raw.send(Buffer.concat(flood));
    await eventually('a full inbox', () => store.appending >= MAX_COMMANDS_IN_FLIGHT);
    await othersPublish(on);
    t.equal(store.mostAppending, MAX_COMMANDS_IN_FLIGHT + 1, 'and the one of the others');
    t.ok(socket.bytesRead < 300_000, `${socket.bytesRead} bytes of 10 MB were read`);
    t.equal((await stored(store)).length, MAX_COMMANDS_IN_FLIGHT);
    letGo();
    const ids = await answersOf(raw, count);
    t.same(ids, range(1, count));
    t.same(
      await stored(store),
      range(1, count).map((id) => ({ id, padding })),
    );
    t.equal(store.mostAppending, MAX_COMMANDS_IN_FLIGHT + 1);
    await undisturbed(t, on);
  },
);

/** The ids of so many `published`, as they come. */
async function answersOf(raw: RawSocket, count: number): Promise<number[]> {
  const ids: number[] = [];
  let rest = Buffer.alloc(0);
  while (ids.length < count) {
    await raw.readUntil((bytes) => bytes.length > 0, 20_000);
    const parsed = parseFrames(Buffer.concat([rest, raw.take()]));
    rest = Buffer.from(parsed.rest);
    for (const { payload } of parsed.frames) {
      const envelope: { type: string; id: number } = JSON.parse(String(payload));
      if (envelope.type === 'published') ids.push(envelope.id);
    }
  }
  return ids;
}

/** The statuses that there are among so many answers. */
async function statusesOf(raw: RawSocket, count: number): Promise<number[]> {
  const statuses = new Set<number>();
  for (let at = 0; at < count; at++) statuses.add((await raw.response(20_000)).status);
  return [...statuses];
}

const posts = {
  'a POST to the stream': (data: number) => ({ path: `/v1/stream/${FLOODED}`, body: String(data) }),
  'a POST of commands': (data: number) => ({
    path: '/v1/commands',
    body: JSON.stringify([{ type: 'publish', id: 1, channel: FLOODED, data }]),
  }),
};
for (const [name, post] of Object.entries(posts)) {
  t.test(
    `${name} / many, one behind the other on one connection, to a slow store → one is taken, others are answered; then all, in order`,
    async (t) => {
      const { on, store, letGo } = await slowScene(t);
      const { raw, socket } = await connected(on, () => rawConnect(t, on.port));
      const count = 3000;
      const headers = { ...JSON_BODY, connection: 'keep-alive' };
      const texts = range(1, count).map((data) => requestText({ method: 'POST', headers, ...post(data) }));
      void raw.send(Buffer.concat(texts));
      await eventually('the first', () => store.appending === 1);
      await othersPublish(on);
      t.equal(store.mostAppending, 2, 'and the one of the others');
      t.ok(
        socket.bytesRead < 140_000,
        `${socket.bytesRead} bytes of ${Buffer.concat(texts).length} were read`,
      );
      letGo();
      t.same(await statusesOf(raw, count), [name === 'a POST of commands' ? 200 : 204]);
      t.same(await stored(store), range(1, count));
      t.equal(store.mostAppending, 2);
      await undisturbed(t, on);
    },
  );
}

t.test('POSTs / one behind the other, to a fast store → a few in each turn of the event loop', async (t) => {
  const { on, store, letGo } = await slowScene(t);
  letGo();
  const { raw } = await connected(on, () => rawConnect(t, on.port));
  const count = 3000;
  const sent = {
    method: 'POST',
    path: `/v1/stream/${FLOODED}`,
    headers: { ...JSON_BODY, connection: 'keep-alive' },
  };
  void raw.send(Buffer.concat(range(1, count).map((data) => requestText({ ...sent, body: String(data) }))));
  let [most, before] = [0, 0];
  while (before < count) {
    await new Promise((resolve) => setImmediate(resolve));
    const { seq } = await store.open(FLOODED);
    [most, before] = [Math.max(most, seq - before), seq];
  }
  t.ok(most <= 2 * A_TURN, `${most} at most between two looks, which two turns may have part in`);
  t.same(await stored(store), range(1, count));
  await undisturbed(t, on);
});

t.test('a connection / ends while its requests wait for their turn → they are never done', async (t) => {
  const { on, store, letGo } = await slowScene(t);
  const { raw, socket } = await connected(on, () => rawConnect(t, on.port));
  const headers = { ...JSON_BODY, connection: 'keep-alive' };
  const texts = range(1, 1000).map((data) =>
    requestText({ method: 'POST', path: `/v1/stream/${FLOODED}`, headers, body: String(data) }),
  );
  void raw.send(Buffer.concat(texts));
  await eventually('the first', () => store.appending === 1);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await gone;
  letGo();
  await othersPublish(on);
  t.same(await stored(store), [1]);
  t.equal(store.appending, 0);
  await undisturbed(t, on);
});

t.test(
  'a body / larger than what comes at once, behind others that wait → is read when its turn comes',
  async (t) => {
    const { on, store, letGo } = await slowScene(t);
    const raw = await rawConnect(t, on.port);
    const headers = { ...JSON_BODY, connection: 'keep-alive' };
    const large = JSON.stringify(range(1, 2000).map((each) => `${each} ${'x'.repeat(1000)}`));
    const bodies = [...range(1, 200).map(String), large, '"last"'];
    const texts = bodies.map((body) =>
      requestText({ method: 'POST', path: `/v1/stream/${FLOODED}`, headers, body }),
    );
    void raw.send(Buffer.concat(texts));
    await eventually('the first', () => store.appending === 1);
    letGo();
    t.same(await statusesOf(raw, texts.length), [204]);
    const data = await stored(store);
    t.equal(data.length, 200 + 2000 + 1);
    t.equal(data.at(-1), 'last');
    await undisturbed(t, on);
  },
);

t.test('reads / many that wait, one behind the other on one connection → 128 at a time', async (t) => {
  const { on, letGo } = await slowScene(t);
  const { raw, socket } = await connected(on, () => rawConnect(t, on.port));
  const path = `/v1/stream/${FLOODED}?offset=now&live=long-poll`;
  const text = requestText({ path, headers: { connection: 'keep-alive' } });
  void raw.send(Buffer.concat(Array(10_000).fill(text)));
  const sessions = () => on.app.earshot.stats().sessions - 1;
  await eventually('a full line', () => sessions() >= AT_A_TIME);
  await othersPublish(on);
  t.equal(sessions(), AT_A_TIME);
  t.ok(socket.bytesRead < 140_000, `${socket.bytesRead} bytes of ${10_000 * text.length} were read`);
  raw.socket.destroy(); // unread, that is not seen before something is written
  letGo();
  await on.app.earshot.publish(FLOODED, 1);
  await eventually('none of them', () => sessions() === 0);
  await undisturbed(t, on);
});

t.test('a POST / behind a long-poll on its connection → is done, and both are answered', async (t) => {
  const { on, letGo } = await slowScene(t);
  letGo();
  const raw = await rawConnect(t, on.port);
  const headers = { ...JSON_BODY, connection: 'keep-alive' };
  const path = `/v1/stream/${FLOODED}`;
  const waiting = requestText({ path: `${path}?offset=now&live=long-poll`, headers });
  await raw.send(Buffer.concat([waiting, requestText({ method: 'POST', path, headers, body: '[1]' })]));
  t.match(await raw.response(), { status: 200, body: '[1]' });
  t.match(await raw.response(), { status: 204 });
  await undisturbed(t, on);
});
