import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Test } from 'tap';
import t from 'tap';
import { Random } from '../../src/cli/check/load/random.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { RawReader } from '../support/accelerated.js';
import {
  accelerated,
  accelerator,
  Collected,
  canBuild,
  expectedBytes,
  isThere,
  rawReader,
  sentPastNode,
} from '../support/accelerated.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { peer } from '../support/peer.js';
import { frame } from '../support/raw-socket.js';

t.setTimeout(120_000);

/** Nothing but messages comes, and all of them are kept. */
const QUIET: EarshotOptions = {
  accelerate: true,
  retention: { messages: 100_000, bytes: 1e9 },
  pingIntervalMs: 3_600_000,
};
const SEED = String(Date.now());

t.test('the add-on / there is a C compiler → it was built at the installation', async (t) => {
  if (canBuild) t.ok(isThere, `run npm ci: ${accelerator}`);
  else t.comment(`there is no C compiler: ${accelerator}`);
});

/** Publishes this many messages of random sizes, some alone in their turn, some together. */
async function publishMany(
  { app }: RunningApp,
  channel: string,
  random: Random,
  count: number,
  most = 30_000,
) {
  for (let n = 0; n < count; n++) {
    const size = random.chance(0.2) ? random.between(0, most) : random.between(0, 200);
    await app.earshot.publish(channel, { n, text: 'x'.repeat(size) });
    if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
  }
}

accelerated(t, 'readers that read → every byte in order, sent past Node', async (t) => {
  t.comment(`seed ${SEED}`);
  const on = await appOn(t, QUIET);
  await on.app.earshot.publish('a', 'made');
  await on.app.earshot.channels.delete('a');
  const readers: RawReader[] = [];
  for (let n = 0; n < 150; n++) readers.push(await rawReader(t, on, 'a')); // more than one call takes
  const collected = readers.map((reader) => new Collected(reader));
  await publishMany(on, 'a', new Random(SEED), 300, 3000);
  const expected = await expectedBytes(on, 'a');
  for (const each of collected) t.ok(await each.is(expected), 'every byte in order, and nothing else');
  const past = readers.map((reader) => sentPastNode(reader));
  t.ok(
    past.every((bytes) => bytes > expected.length / 2),
    'most of it went past Node',
  );
  t.equal(await on.metric('earshot_messages_out_total', { transport: 'websocket' }), 150 * 300);
});

accelerated(
  t,
  'readers that stop and go on → every byte in order, some past Node, some through it',
  async (t) => {
    t.comment(`seed ${SEED}`);
    const on = await appOn(t, { ...QUIET, limits: { maxQueuedBytes: 1e9 } });
    const readers: RawReader[] = [];
    for (let n = 0; n < 6; n++) readers.push(await rawReader(t, on, 'a'));
    const collected = readers.map((reader) => new Collected(reader));
    const random = new Random(SEED);
    for (let round = 0; round < readers.length; round++) {
      const stopped = readers.filter((_, at) => at === round || random.chance(0.5)); // each of them once at least
      for (const { raw } of stopped) raw.socket.pause();
      const isStuck = () => stopped.every(({ socket }) => socket.writableLength > 0);
      while (!isStuck()) await publishMany(on, 'a', random, 20, 400_000);
      for (const { raw } of stopped) if (random.chance(0.8)) raw.socket.resume();
      await publishMany(on, 'a', random, 20); // while it drains
    }
    const before = readers.map((reader) => sentPastNode(reader));
    for (const { raw } of readers) raw.socket.resume();
    const expected = await expectedBytes(on, 'a');
    for (const each of collected) t.ok(await each.is(expected), 'every byte in order, and nothing else');
    t.ok(
      before.every((bytes) => bytes > 0 && bytes < expected.length),
      'none was sent all of it past Node, nor nothing',
    );
  },
);

accelerated(
  t,
  'a reader that falls behind → catches up from the log, in order, and is sent past Node again',
  async (t) => {
    const on = await appOn(t, QUIET);
    const reader = await rawReader(t, on, 'a');
    const collected = new Collected(reader);
    reader.raw.socket.pause();
    const random = new Random(SEED);
    while ((await on.metric('earshot_fell_behind_total')) === 0)
      await publishMany(on, 'a', random, 100, 60_000);
    reader.raw.socket.resume();
    t.ok(await collected.is(await expectedBytes(on, 'a')), 'all that came while it slept');
    const before = sentPastNode(reader);
    await on.app.earshot.publish('a', 'live again');
    t.ok(await collected.is(await expectedBytes(on, 'a')), 'and what came then');
    t.ok(sentPastNode(reader) > before);
  },
);

accelerated(t, 'commands, pings and pushes between messages → stand at the borders of frames', async (t) => {
  const on = await appOn(t, {
    ...QUIET,
    pingIntervalMs: 20,
    pongTimeoutMs: 20_000,
    limits: { commandBurst: 1000 },
  });
  const readers = await Promise.all([peer(t, on.wsUrl), peer(t, on.wsUrl), peer(t, on.wsUrl)]);
  for (const each of readers) await each.call({ type: 'subscribe', channel: 'a', presence: true });
  const sizes = new Random(SEED);
  for (let n = 0; n < 300; n++) {
    await on.app.earshot.publish('a', { n, text: 'x'.repeat(sizes.between(0, 70_000)) });
    const answers = readers.map((each) => each.call({ type: 'publish', channel: 'b', data: n }));
    for (const each of await Promise.all(answers)) t.equal(each.type, 'published');
  }
  for (const each of readers)
    for (let n = 0; n < 300; n++) {
      const { data } = await each.next('message');
      if ((data as { n: number }).n !== n) t.fail(`message ${n} is not in its place`);
    }
});

accelerated(t, 'bytes sent past Node → are counted as sent, all that the peer has', async (t) => {
  const on = await appOn(t, { accelerate: true });
  const reader = await rawReader(t, on, 'a');
  for (let n = 0; n < 50; n++) {
    await on.app.earshot.publish('a', n);
    await reader.raw.readUntil((bytes) => bytes.includes(`"data":${n}}`));
  }
  const { carrier } = reader.session;
  t.equal(carrier.sentBytes, reader.raw.socket.bytesRead);
  t.ok(sentPastNode(reader) > 50 * 100);
});

accelerated(t, 'a peer that reads nothing of what is queued → is cut after the stall timeout', async (t) => {
  const on = await appOn(t, { accelerate: true, stallTimeoutMs: 300, pingIntervalMs: 200 });
  const { raw } = await rawReader(t, on, 'a');
  raw.socket.pause();
  const gone = on.metricReaches(1, 'earshot_closes_total', { code: '4408' });
  for (let n = 0; n < 200; n++) await on.app.earshot.publish('a', 'x'.repeat(100_000));
  await gone;
  t.equal(on.app.earshot.sessions.count, 0);
});

accelerated(t, 'after the close frame → nothing follows, whoever began', async (t) => {
  const on = await appOn(t, { accelerate: true, closeTimeoutMs: 5000 });
  const [ours, theirs] = [await rawReader(t, on, 'a'), await rawReader(t, on, 'a')];
  await on.app.earshot.publish('a', 'before');
  for (const { raw } of [ours, theirs]) await raw.readUntil((bytes) => bytes.includes('before'));
  ours.session.end({ close: 'noPong', code: 'unavailable', cause: 'timeout' });
  await theirs.raw.send(frame({ opcode: 8, payload: Buffer.of(0x03, 0xe8) }));
  await eventually('the close of theirs', () => theirs.raw.received().at(-4) === 0x88);
  await on.app.earshot.publish('a', 'too late');
  const other = await peer(t, on.wsUrl);
  await other.call({ type: 'ping' }); // by then it was written, if at all
  for (const { raw } of [ours, theirs]) t.notMatch(String(raw.received()), 'too late');
});

accelerated(
  t,
  'TLS, and transports without frames → are written to as always, beside those that are not',
  async (t) => {
    const tls = makeCertificate(t);
    const secure = await appOn(t, { accelerate: true }, { tls });
    const socket = await peer(t, secure.wsUrl, { client: { ca: tls.cert } });
    await socket.call({ type: 'subscribe', channel: 'a' });
    await secure.app.earshot.publish('a', 'through TLS');
    t.equal((await socket.next('message')).data, 'through TLS');
    const on = await appOn(t, { accelerate: true });
    await on.app.earshot.publish('a', 'made');
    const reader = await rawReader(t, on, 'a');
    const { offset } = await on.app.earshot.history('a');
    const longPoll = fetch(`${on.url}/v1/stream/a?live=long-poll&offset=${offset}`);
    const events = await fetch(`${on.url}/v1/stream/a?live=sse&offset=${offset}`);
    await eventually('both', () => on.app.earshot.node.hub.subscriptionsOf('a') === 3);
    await on.app.earshot.publish('a', 'to all');
    t.strictSame(await (await longPoll).json(), ['to all']);
    await reader.raw.readUntil((bytes) => bytes.includes('to all'));
    for await (const chunk of events.body ?? []) if (Buffer.from(chunk).includes('to all')) break;
    t.ok(sentPastNode(reader) > 0);
  },
);

accelerated(t, 'sockets of other kinds, or altered → no descriptor of theirs is used', async (t) => {
  if (accelerator instanceof Error) throw accelerator;
  const tcp = await acceptedOn(t, { port: 0, host: '127.0.0.1' });
  t.not(accelerator.fanFor(tcp), undefined, 'plain TCP, as Node made it');
  const folder = mkdtempSync(join(tmpdir(), 'earshot-')); // the path of a socket is a short one
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pipe = await acceptedOn(t, { path: join(folder, 'socket') });
  t.equal(accelerator.fanFor(pipe), undefined, 'a pipe');
  const altered = await acceptedOn(t, { port: 0, host: '127.0.0.1' });
  altered.write = () => true;
  t.equal(accelerator.fanFor(altered), undefined, 'a socket whose write is somebody else’s');
  class Counted extends Socket {}
  t.equal(accelerator.fanFor(Object.setPrototypeOf(tcp, Counted.prototype)), undefined, 'a kind of its own');
  const { cert, key } = makeCertificate(t);
  const on = await appOn(t, {}, { tls: { cert, key } });
  const [accepted] = await Promise.all([
    once(on.app.server, 'secureConnection'),
    connectTls({ port: on.port, ca: cert }).on('error', () => {}),
  ]);
  t.equal(accelerator.fanFor(accepted[0]), undefined, 'TLS, which has the descriptor of what it is on');
  tcp.destroy();
  t.equal(accelerator.fanFor(tcp), undefined, 'one that is destroyed');
});

async function acceptedOn(
  t: Test,
  where: { port: number; host: string } | { path: string },
): Promise<Socket> {
  const server = createServer().listen(where);
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const address = server.address();
  const to =
    typeof address === 'string' || address === null ? { path: String(address) } : { port: address.port };
  const client = connect(to);
  const [socket]: Socket[] = await accepted;
  if (socket === undefined) throw new Error('no connection');
  t.teardown(() => {
    for (const each of [client, socket, server]) each instanceof Socket ? each.destroy() : each.close();
  });
  return socket;
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** In use. What one collection finds is given back in the turn after it, or by the next one: buffers above all. */
async function usedBytes(): Promise<number> {
  for (let turn = 0; turn < 5; turn++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

accelerated(t, 'thousands of messages → leave nothing in memory', async (t) => {
  const on = await appOn(t, { accelerate: true, retention: { messages: 10 } });
  const readers = await Promise.all(Array.from({ length: 20 }, () => rawReader(t, on, 'a')));
  const publish = async (count: number) => {
    for (let n = 0; n < count; n++) {
      await on.app.earshot.publish('a', 'x'.repeat(500));
      await new Promise((resolve) => setImmediate(resolve));
      for (const { raw } of readers) raw.take();
    }
  };
  await publish(1000);
  const before = await usedBytes();
  await publish(5000);
  const more = (await usedBytes()) - before;
  t.ok(more < 2 * 1024 * 1024, `${more} bytes more after 100,000 deliveries`);
});
