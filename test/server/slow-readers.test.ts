import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { DEFAULT_LIMITS, MAX_BATCH_BYTES } from '../../src/core/limits.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventsIn } from '../support/events.js';
import type { RawSocket } from '../support/raw-socket.js';
import { frame, parseFrames } from '../support/raw-socket.js';
import { connected, type Scene, scene, undisturbed, upgraded } from './scene.js';

t.setTimeout(120_000);

const CHANNEL = 'a';
const COUNT = 20_000;
const KEPT = 1000;
/** Published in one turn of the event loop. */
const A_TURN = 50;
const PADDING = 'x'.repeat(1000);
/** Above the limit nothing is written: what was written last found room, and is printed with something around it. */
const MOST_QUEUED_BYTES = DEFAULT_LIMITS.maxQueuedBytes + 2 * MAX_BATCH_BYTES;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** A number of a message, or something else that was told. */
type Heard = number | string;

interface Reader {
  /** The server's end of its connection. */
  readonly socket: Socket;
  stop(): void;
  /** Reads on. What was heard up to this number, or to the end. */
  until(last: number): Promise<Heard[]>;
}

/** A reader at the tail of the channel. */
type Open = (t: Test, on: Scene) => Promise<Reader>;

const openWebSocket: Open = async (t, on) => {
  const { raw, socket } = await connected(on, () => upgraded(t, on.port));
  void raw.send(frame({ payload: JSON.stringify({ type: 'subscribe', id: 1, channel: CHANNEL }) }));
  const told = envelopesIn(raw);
  for await (const { type } of resumable(told)) if (type === 'subscribed') break;
  return {
    socket,
    stop: () => raw.socket.pause(),
    async until(last) {
      raw.socket.resume();
      const heard: Heard[] = [];
      for await (const { type, data } of resumable(told)) {
        heard.push(data?.n ?? type);
        if (data?.n === last) break;
      }
      return heard;
    },
  };
};

const openEvents: Open = async (_t, on) => {
  const { raw, socket } = await connected(on, async () => {
    const path = `/v1/stream/${CHANNEL}?offset=now&live=sse`;
    const [response]: IncomingMessage[] = await once(get({ port: on.port, path, agent: false }), 'response');
    if (response === undefined) throw new Error('no response');
    return response;
  });
  const events = eventsIn(raw);
  for await (const { data } of resumable(events)) if (data?.includes('"upToDate":true') === true) break;
  let position = '';
  return {
    socket,
    stop: () => {}, // nothing is read unless an event is asked for
    async until(last) {
      const heard: Heard[] = [];
      for await (const { event, id = '', data = '' } of resumable(events)) {
        position = id;
        if (event !== 'data') continue;
        for (const { n } of JSON.parse(data)) heard.push(n);
        if (heard.at(-1) === last) return heard;
      }
      return [...heard, `ended after ${position}`];
    },
  };
};

/** To leave a loop over it doesn't end it: another may go on. */
function resumable<Item>(items: AsyncGenerator<Item>): AsyncIterable<Item> {
  return { [Symbol.asyncIterator]: () => ({ next: () => items.next() }) };
}

async function* envelopesIn(raw: RawSocket) {
  let rest = Buffer.alloc(0);
  for (;;) {
    await raw.readUntil((bytes) => bytes.length > 0, 20_000);
    const parsed = parseFrames(Buffer.concat([rest, raw.take()]));
    rest = Buffer.from(parsed.rest);
    for (const { payload } of parsed.frames) {
      const envelope: { type: string; data?: { n: number } } = JSON.parse(String(payload));
      yield envelope;
    }
  }
}

/** Publishes these numbers, as fast as can be. How much was queued at most to the connection meanwhile. */
async function publish({ app }: Scene, numbers: readonly number[], { socket }: Reader): Promise<number> {
  let mostBytes = 0;
  for (const n of numbers) {
    await app.earshot.publish(CHANNEL, { n, padding: PADDING });
    if (n % A_TURN !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    mostBytes = Math.max(mostBytes, socket.writableLength);
  }
  return mostBytes;
}

async function sceneWith(t: Test, options: EarshotOptions): Promise<Scene> {
  const on = await scene(t, options);
  await on.app.earshot.publish(CHANNEL, { n: 0 }); // one that is made by PUT would be kept whole
  return on;
}

/** Stopped, with more in the buffers on its way than those take. */
async function stalled(t: Test, on: Scene, open: Open): Promise<Reader> {
  const reader = await open(t, on);
  reader.stop();
  t.ok((await publish(on, range(1, COUNT), reader)) <= MOST_QUEUED_BYTES, 'what is queued to it is bounded');
  t.ok(reader.socket.writableLength > DEFAULT_LIMITS.maxQueuedBytes / 2, 'it is stuck');
  return reader;
}

const readers = { 'a WebSocket': openWebSocket, 'a stream of events': openEvents };
for (const [name, open] of Object.entries(readers)) {
  t.test(
    `${name} / stops reading while ${COUNT} × 1 KB come → little is queued, others get all; then it too, in order, and goes live`,
    async (t) => {
      const on = await sceneWith(t, { retention: { messages: COUNT, bytes: 1e9 } });
      const others = await Promise.all([openWebSocket(t, on), openEvents(t, on)]);
      const heard = others.map((other) => other.until(COUNT));
      const reader = await stalled(t, on, open);
      for (const each of heard) t.same(await each, range(1, COUNT));
      t.ok(reader.socket.writableLength > 0, 'that it is stuck keeps nobody');
      t.same(await reader.until(COUNT), range(1, COUNT));
      const live = Promise.all([reader, ...others].map((each) => each.until(COUNT + 1)));
      await publish(on, [COUNT + 1], reader);
      t.same(await live, Array(3).fill([COUNT + 1]));
      await undisturbed(t, on);
    },
  );
}

t.test(
  'a WebSocket / retention passes it by → exactly one gap, then what is kept, and it is live',
  async (t) => {
    const on = await sceneWith(t, { retention: { messages: KEPT, bytes: 1e9 } });
    const reader = await stalled(t, on, openWebSocket);
    const heard = await reader.until(COUNT);
    const gap = heard.indexOf('gap');
    t.ok(gap > 0);
    t.same(heard, [...range(1, gap), 'gap', ...range(COUNT - KEPT + 1, COUNT)]);
    const live = reader.until(COUNT + 1);
    await publish(on, [COUNT + 1], reader);
    t.same(await live, [COUNT + 1]);
    await undisturbed(t, on);
  },
);

t.test(
  'a stream of events / retention passes it by → ends without a hole, and is told 410 when it comes back',
  async (t) => {
    const on = await sceneWith(t, { retention: { messages: KEPT, bytes: 1e9 } });
    const reader = await stalled(t, on, openEvents);
    const heard = await reader.until(COUNT);
    const [, offset = ''] = /^ended after (.+)$/.exec(String(heard.pop())) ?? [];
    t.same(heard, range(1, heard.length));
    t.ok(heard.length > 0 && heard.length < COUNT - KEPT);
    const again = `${on.url}/v1/stream/${CHANNEL}?live=sse&offset=`;
    t.equal((await fetch(again + offset)).status, 410);
    const kept = await fetch(`${on.url}/v1/stream/${CHANNEL}?offset=-1`);
    t.match(await kept.json(), [{ n: COUNT - KEPT + 1 }]);
    await undisturbed(t, on);
  },
);
