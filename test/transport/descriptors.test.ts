import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { Random } from '../../src/cli/check/load/random.js';
import { watchUncaught } from '../server/scene.js';
import type { RawReader } from '../support/accelerated.js';
import { accelerated, Collected, expectedBytes, rawReader, sentPastNode } from '../support/accelerated.js';
import { appOn, eventually } from '../support/app.js';
import { closeFrame } from '../support/raw-socket.js';

t.setTimeout(180_000);

const BATCHES = 100;
const READERS = 40;
const MOST_AT_ONCE = 4;
const SEED = String(Date.now());

/** Sockets that nobody writes to: what comes out of them was meant for somebody else. */
class Canaries {
  readonly path: string;
  readonly sung: string[] = [];
  /** Those that took the number of a socket that had just been closed. */
  inPlaceOfAnother = 0;
  #open: Socket[] = [];

  constructor(t: Test) {
    const folder = mkdtempSync(join(tmpdir(), 'earshot-'));
    this.path = join(folder, 'canaries');
    const server = createServer((socket) => this.#listen(socket)).listen(this.path);
    t.teardown(() => {
      this.letGo();
      server.close();
      rmSync(folder, { recursive: true });
    });
  }

  /** One more. It has its descriptor at once: the lowest that is free, so one that was just closed. */
  put(freed: ReadonlySet<number>): Socket {
    const socket = connect(this.path);
    this.#listen(socket);
    if (freed.has(descriptorOf(socket))) this.inPlaceOfAnother++;
    return socket;
  }

  letGo(): void {
    for (const socket of this.#open) socket.destroy();
    this.#open = [];
  }

  #listen(socket: Socket): void {
    this.#open.push(socket);
    socket.on('error', () => {}); // the other end was let go
    socket.on('data', (bytes) => this.sung.push(String(bytes)));
  }
}

/** -1 where there is none any more. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd: number } | null })._handle?.fd ?? -1;
}

/** Every way in which the connection of a reader may end, at either side. */
const ENDS: ReadonlyArray<(reader: RawReader) => void> = [
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.destroy(new Error('by force')),
  ({ socket }) => socket.resetAndDestroy(),
  ({ socket }) => socket.end(),
  ({ session }) => session.carrier.terminate(),
  ({ session }) => session.end({ close: 'noPong', code: 'unavailable', cause: 'timeout' }),
  ({ raw }) => raw.socket.destroy(),
  ({ raw }) => raw.socket.resetAndDestroy(),
  ({ raw }) => raw.socket.end(),
  ({ raw }) => raw.socket.end(closeFrame(1000)),
];

/** Ends some of them, and puts canaries where they were, all in this turn. */
function endSome(alive: RawReader[], canaries: Canaries, random: Random): void {
  const freed = new Set<number>();
  for (let count = Math.min(alive.length, random.between(1, MOST_AT_ONCE)); count > 0; count--) {
    const [reader] = alive.splice(random.between(0, alive.length - 1), 1);
    if (reader === undefined) continue;
    freed.add(descriptorOf(reader.socket));
    random.pick(ENDS)(reader);
    if (descriptorOf(reader.socket) >= 0) freed.delete(descriptorOf(reader.socket));
  }
  for (let count = 0; count < MOST_AT_ONCE + 1; count++) canaries.put(freed);
}

/** The end of this turn: what `first` does comes just before what was deferred later is flushed. */
const inTheSameTurn = (first: () => void) =>
  new Promise<void>((resolve) =>
    setImmediate(() => {
      first();
      resolve();
    }),
  );

/** After some of a flush were looked at, and before they are sent to: when this one is asked whether it has room. */
function inTheMidstOfTheNextFlush({ session: { carrier } }: RawReader, run: () => void): void {
  Object.defineProperty(carrier, 'queuedBytes', {
    configurable: true,
    get() {
      const asker = new Error('who asks').stack ?? '';
      if (asker.includes('handOut') && Reflect.deleteProperty(carrier, 'queuedBytes')) run();
      return 0;
    },
  });
}

const { send } = createRequire(import.meta.url)('earshot-accelerator');

accelerated(t, 'a canary that is written to → sings', async (t) => {
  const canaries = new Canaries(t);
  const canary = canaries.put(new Set());
  await once(canary, 'connect');
  send(Int32Array.of(descriptorOf(canary)), 1, Buffer.from('for you'), new Int32Array(1));
  await eventually('what was sent', () => canaries.sung.length > 0);
  t.strictSame(canaries.sung, ['for you']);
});

accelerated(
  t,
  'sockets that end by force while messages leave, and others that take their numbers → are never written to',
  async (t) => {
    t.comment(`seed ${SEED}`);
    const random = new Random(SEED);
    const uncaught = watchUncaught(t);
    const canaries = new Canaries(t);
    const on = await appOn(t, {
      accelerate: true,
      pingIntervalMs: 3_600_000,
      retention: { messages: 100_000, bytes: 1e9 },
    });
    const steady = await rawReader(t, on, 'a');
    const collected = new Collected(steady);
    let midst = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      const alive = await Promise.all(Array.from({ length: READERS }, () => rawReader(t, on, 'a')));
      while (alive.length > 0) {
        const publish = () =>
          on.app.earshot.publish('a', { batch, text: 'x'.repeat(random.between(0, 500)) });
        const end = () => endSome(alive, canaries, random);
        const when = random.between(0, 3);
        if (when === 0) await Promise.all([inTheSameTurn(end), publish()]);
        if (when === 1) await Promise.all([publish(), inTheSameTurn(end)]);
        if (when === 2) await Promise.all([publish(), end()]);
        if (when === 3) {
          inTheMidstOfTheNextFlush(random.pick(alive), () => {
            midst++;
            end();
          });
          await publish();
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      canaries.letGo();
    }
    t.ok(await collected.is(await expectedBytes(on, 'a')), 'who stays has every byte in order');
    t.ok(sentPastNode(steady) > 0);
    t.strictSame(canaries.sung, [], 'nothing came out of a canary');
    t.comment(
      `${canaries.inPlaceOfAnother} canaries in place of another; ${midst} times in the midst of a flush`,
    );
    t.ok(canaries.inPlaceOfAnother > 1000 && midst > 100);
    t.strictSame(uncaught, []);
    await eventually('the end of all others', () => on.app.earshot.sessions.count === 1);
  },
);
