// The client of the Durable Streams protocol as it is published, which knows nothing of us.
import type { JsonBatch, LiveMode, StreamResponse } from '@durable-streams/client';
import { DurableStream, IdempotentProducer, stream } from '@durable-streams/client';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import { appOn } from '../support/app.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import { tcpProxy } from '../support/tcp-proxy.js';

const LIVE: readonly LiveMode[] = ['long-poll', 'sse', true];
const JSON_TYPE = 'application/json';

/** A message, however it came. */
interface Came {
  readonly offset: string;
  readonly data: unknown;
}

/** A development server with one channel of a type, made by the client; and a reader of it on a WebSocket. */
async function channelOn(t: Test, contentType: string, options: EarshotOptions = {}) {
  const on = await appOn(t, { longPollTimeoutMs: 2000, ...options });
  const path = '/v1/stream/a';
  const handle = await DurableStream.create({ url: on.url + path, contentType, batching: false });
  const reader = await peer(t, on.wsUrl);
  await reader.call({ type: 'subscribe', channel: 'a', offset: '-1' });
  return { ...on, path, handle, reader };
}

async function messages(reader: Peer, count: number): Promise<Came[]> {
  const came: Came[] = [];
  while (came.length < count) {
    const { offset, data } = await reader.next('message');
    came.push({ offset, data });
  }
  return came;
}

/**
 * The batches of a reader until there are so many items, or the channel ends. The client goes on by itself from one
 * response to the next; one that is cut in the middle is told to the program, which goes on at its last offset.
 */
async function batchesOf(
  open: (offset: string) => Promise<StreamResponse>,
  count = Number.POSITIVE_INFINITY,
  from = '-1',
): Promise<JsonBatch[]> {
  const batches: JsonBatch[] = [];
  for (;;) {
    const response = await open(batches.at(-1)?.offset ?? from);
    const isWhole = new Promise<boolean>((resolve) => {
      response.subscribeJson((batch) => {
        batches.push(batch);
        if (batch.streamClosed || itemsOf(batches).length >= count) resolve(true);
      });
      response.closed.catch(() => resolve(false));
    });
    if (!(await isWhole)) continue;
    response.cancel();
    return batches;
  }
}

const itemsOf = (batches: readonly JsonBatch[]) => batches.flatMap(({ items }) => items);

/** Every batch ends at the offset that its last item has on a WebSocket. */
function sameOffsets(t: Test, batches: readonly JsonBatch[], expected: readonly Came[]): void {
  let count = 0;
  for (const { items, offset } of batches) {
    count += items.length;
    if (items.length > 0) t.equal(offset, expected[count - 1]?.offset, `after ${count}`);
  }
}

t.test('catch-up / JSON → the same values at the same offsets as on a WebSocket', async (t) => {
  const { handle, reader } = await channelOn(t, JSON_TYPE);
  const values = [{ n: 1 }, 'two', [3, ['three']], null, 'fünf 🎈'];
  for (const value of values) await handle.append(JSON.stringify(value));
  const came = await messages(reader, values.length);
  t.strictSame(
    came.map(({ data }) => data),
    values,
  );
  t.strictSame(await (await handle.stream({ live: false })).json(), values);
  for (const [at, { offset }] of came.entries()) {
    const rest = await handle.stream({ live: false, offset });
    t.strictSame(await rest.json(), values.slice(at + 1), `after ${at + 1}`);
    t.equal(rest.offset, came.at(-1)?.offset);
  }
  t.match(await handle.head(), { exists: true, contentType: JSON_TYPE, offset: came.at(-1)?.offset });
});

t.test('catch-up / bytes and text → the same bytes; a WebSocket has them as base64', async (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  for (const [type, chunks] of [
    ['application/octet-stream', [bytes, bytes.toReversed()]],
    ['text/plain', [Buffer.from('one\n'), Buffer.from('zwölf\r\n\n🎈')]],
  ] as const) {
    const { handle, reader } = await channelOn(t, type);
    for (const chunk of chunks) await handle.append(new Uint8Array(chunk));
    const whole = Buffer.concat(chunks);
    const came = await messages(reader, chunks.length);
    t.strictSame(
      came.map(({ data }) => data),
      chunks.map((chunk) => Buffer.from(chunk).toString('base64')),
      type,
    );
    t.ok(whole.equals(await (await handle.stream({ live: false })).body()), type);
    const [first] = came;
    const rest = await handle.stream({ live: false, offset: first?.offset ?? '' });
    t.ok(Buffer.from(chunks[1]).equals(await rest.body()), `${type}, after the first`);
    for (const live of ['long-poll', 'sse'] as const) {
      const response = await handle.stream({ live });
      const chunksRead: Uint8Array[] = [];
      response.subscribeBytes(({ data }) => void chunksRead.push(data));
      if (live === 'sse') await handle.close();
      else await eventuallyWhole(response, () => Buffer.concat(chunksRead).equals(whole));
      await response.closed;
      t.ok(whole.equals(Buffer.concat(chunksRead)), `${type}, ${live}`);
    }
  }
});

/** Leaves a live reader once it has what is waited for. */
async function eventuallyWhole(response: StreamResponse, isWhole: () => boolean): Promise<void> {
  while (!isWhole()) await new Promise((resolve) => setImmediate(resolve));
  response.cancel();
}

for (const live of LIVE) {
  t.test(`live ${live} / behind at first, then as it is published → all, once, to the end`, async (t) => {
    const { app, url, path, handle, reader } = await channelOn(t, JSON_TYPE);
    await handle.append('"over HTTP 1"');
    await handle.append('"over HTTP 2"');
    const read = batchesOf((offset) => stream({ url: url + path, live, offset }));
    await reader.call({ type: 'publish', channel: 'a', data: 'over a WebSocket' });
    await app.earshot.publish('a', 'in code');
    await handle.append('"over HTTP 3"');
    await handle.close({ body: '"the last"' });
    const came = await messages(reader, 6);
    const batches = await read;
    const expected = ['over HTTP 1', 'over HTTP 2', 'over a WebSocket', 'in code', 'over HTTP 3', 'the last'];
    t.strictSame(itemsOf(batches), expected);
    t.strictSame(
      came.map(({ data }) => data),
      expected,
    );
    sameOffsets(t, batches, came);
    t.ok(batches.at(-1)?.streamClosed, 'ended by itself');
    t.equal((await reader.next('closed')).offset, batches.at(-1)?.offset);
  });
}

t.test('live / another technique every few messages → nothing missing, nothing twice', async (t) => {
  const { app, wsUrl, handle } = await channelOn(t, JSON_TYPE);
  const turns = [...LIVE, 'WebSocket', false, ...LIVE.toReversed(), 'WebSocket'] as const;
  const expected: number[] = [];
  const found: unknown[] = [];
  let offset = '-1';
  for (const turn of turns) {
    const publish = async () => {
      for (let count = 0; count < 5; count++) {
        expected.push(expected.length);
        await app.earshot.publish('a', expected.length - 1);
      }
    };
    await publish(); // these while nobody reads
    if (turn === 'WebSocket') {
      const reader = await peer(t, wsUrl);
      t.match(await reader.call({ type: 'subscribe', channel: 'a', offset }), { type: 'subscribed' });
      await publish();
      const came = await messages(reader, expected.length - found.length);
      found.push(...came.map(({ data }) => data));
      offset = came.at(-1)?.offset ?? '';
      continue;
    }
    const missing = expected.length - found.length + (turn === false ? 0 : 5);
    const read = batchesOf((start) => handle.stream({ offset: start, live: turn }), missing, offset);
    await publish(); // these while it reads
    const batches = await read;
    found.push(...itemsOf(batches));
    offset = batches.at(-1)?.offset ?? '';
  }
  t.strictSame(found, expected);
});

/**
 * The producer leaves it to the program to ask again where there is no answer, and numbers its batches so that it may.
 * Counts what went without an answer, and what was answered as a repetition.
 */
function persistent() {
  const count = { unanswered: 0, repeated: 0 };
  const ask: typeof fetch = async (...request) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(...request);
        if (response.status === 204) count.repeated++;
        return response;
      } catch (error) {
        count.unanswered++;
        if (attempt === 20) throw error;
      }
    }
  };
  return { count, ask };
}

t.test('producer / the line is cut before every few answers → each message once and in order', async (t) => {
  const cutAt = new Set([1, 30, 60, 90, 120, 150, 180]);
  const { count, ask } = persistent();
  let [published, cut] = [0, () => 0];
  const hooks = {
    // The message is on its way into the store, and the answer will find nobody.
    onPublish: async () => {
      if (cutAt.delete(++published)) cut();
      return undefined;
    },
  };
  const { url, port, path, handle, reader } = await channelOn(t, JSON_TYPE, { hooks });
  const proxy = await tcpProxy(t, port);
  cut = proxy.cut;
  const through = url.replace(String(port), String(proxy.port)) + path;
  const faults: Error[] = [];
  const options = {
    lingerMs: 1,
    maxBatchBytes: 100,
    fetch: ask,
    onError: (error: Error) => void faults.push(error),
  };
  const producer = new IdempotentProducer(
    new DurableStream({ url: through, contentType: JSON_TYPE }),
    'p-1',
    options,
  );
  const readers = LIVE.map((live) => batchesOf((offset) => stream({ url: through, live, offset })));
  const numbers = Array.from({ length: 200 }, (_, at) => at);
  for (const number of numbers) producer.append(JSON.stringify({ number }));
  await producer.flush();
  const { finalOffset } = await producer.close(JSON.stringify('the end'));
  const expected = [...numbers.map((number) => ({ number })), 'the end'];
  t.strictSame(faults, []);
  t.ok(count.unanswered >= 4, `${count.unanswered} without an answer`);
  t.ok(count.repeated >= 1, `${count.repeated} were stored already`);
  t.strictSame(await (await handle.stream({ live: false })).json(), expected);
  const came = await messages(reader, expected.length);
  t.strictSame(
    came.map(({ data }) => data),
    expected,
  );
  t.equal(came.at(-1)?.offset, finalOffset);
  for (const [at, read] of readers.entries()) {
    const batches = await read;
    t.strictSame(itemsOf(batches), expected, `a live reader through the same line: ${LIVE[at]}`);
    sameOffsets(t, batches, came);
  }
});

t.test(
  'producer / a second with the same name → the first is fenced, and nothing of it is lost',
  async (t) => {
    const { handle } = await channelOn(t, JSON_TYPE);
    const faults: Error[] = [];
    const producerOf = (epoch: number) =>
      new IdempotentProducer(handle, 'p-1', { epoch, onError: (error) => void faults.push(error) });
    const [first, second] = [producerOf(0), producerOf(1)];
    first.append('"from the first"');
    await first.flush();
    second.append('"from the second"');
    await second.flush();
    first.append('"from the first again"');
    await first.flush().catch(() => {});
    t.strictSame(
      faults.map(({ name }) => name),
      ['StaleEpochError'],
    );
    t.strictSame(await (await handle.stream({ live: false })).json(), ['from the first', 'from the second']);
  },
);

t.test('closing → told where it ends, refused after, deleted, not found', async (t) => {
  const { handle, reader, url, path } = await channelOn(t, JSON_TYPE);
  await handle.append('1');
  const { finalOffset } = await handle.close();
  t.equal((await reader.next('closed')).offset, finalOffset);
  t.equal((await handle.close()).finalOffset, finalOffset, 'again');
  const late = await handle.append('2').catch((error: unknown) => error);
  t.match(late, { status: 409, headers: { 'stream-closed': 'true', 'stream-next-offset': finalOffset } });
  t.match(await handle.head(), { streamClosed: true, offset: finalOffset });
  await handle.delete();
  const refused = await stream({ url: url + path, live: false }).catch((error: unknown) => error);
  t.match(refused, { status: 404 });
});
