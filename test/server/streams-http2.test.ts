import { once } from 'node:events';
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import type { StreamEvent } from '../support/events.js';
import { eventsIn } from '../support/events.js';
import type { Answer, Http2Client } from '../support/http2.js';
import {
  closeOf,
  END_HEADERS,
  FRAMES,
  fieldsOf,
  frameOf,
  http2Client,
  PREFACE,
  rawTls,
} from '../support/http2.js';
import { keptLog } from '../support/log.js';

const { cert: CA, key } = makeCertificate(t);
const JSON_TYPE = { 'content-type': 'application/json' };
const EVENTS = { accept: 'text/event-stream' };
const NEWS = '/v1/stream/news';
const CANCEL = 8;

/** The application over TLS, with a client on one HTTP/2 connection. */
async function secureStreams(t: Test, options: EarshotOptions = {}): Promise<RunningApp & Http2Client> {
  const on = await appOn(t, { longPollTimeoutMs: 120_000, ...options }, { tls: { cert: CA, key } });
  return { ...on, ...(await http2Client(t, on.url, CA)) };
}

const create = ({ ask }: Http2Client, path = NEWS) => ask(path, { method: 'PUT', headers: JSON_TYPE });

const publish = ({ ask }: Http2Client, data: unknown, path = NEWS, headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(data) });

const sessionsReach = ({ app }: RunningApp, count: number) =>
  eventually(`${count} sessions`, () => app.earshot.stats().sessions === count);

async function headersOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  const [headers]: IncomingHttpHeaders[] = await once(stream, 'response');
  return headers ?? {};
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function nextData(events: AsyncGenerator<StreamEvent>): Promise<unknown> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error('the stream of events ended');
    if (value.event === 'data') return JSON.parse(value.data ?? '');
  }
}

t.test('a channel / made, published to, read and asked for over HTTP/2 → as over HTTP/1.1', async (t) => {
  const on = await secureStreams(t);
  const made = await create(on);
  t.equal(made.status, 201);
  t.equal(made.headers.location, on.url + NEWS);
  const producer = (seq: number) => ({
    'producer-id': 'p',
    'producer-epoch': '0',
    'producer-seq': String(seq),
  });
  t.match(await publish(on, 'one', NEWS, producer(0)), { status: 200, headers: { 'producer-seq': '0' } });
  t.equal((await publish(on, 'one', NEWS, producer(0))).status, 204, 'again: stored once');
  t.match(await publish(on, 'three', NEWS, producer(2)), {
    status: 409,
    headers: { 'producer-expected-seq': '1', 'producer-received-seq': '2' },
  });
  t.equal((await publish(on, ['two', 'three'])).status, 204);
  const read = await on.ask(`${NEWS}?offset=-1`);
  t.match(read, { status: 200, body: '["one","two","three"]', headers: { 'stream-up-to-date': 'true' } });
  const known = { 'if-none-match': String(read.headers.etag) };
  t.match(await on.ask(`${NEWS}?offset=-1`, { headers: known }), { status: 304, body: '' });
  const head = await on.ask(NEWS, { method: 'HEAD' });
  t.match(head, { status: 200, body: '', headers: { ...JSON_TYPE } });
  t.equal(head.headers['stream-next-offset'], read.headers['stream-next-offset']);
  t.equal(on.app.earshot.stats().sessions, 0, 'nobody waits');
  t.equal((await on.ask(NEWS, { method: 'DELETE' })).status, 204);
  t.equal((await on.ask(NEWS)).status, 404);
});

t.test('POST / reset before the end of its body → nothing of it is stored', async (t) => {
  const log = keptLog();
  const on = await appOn(t, {}, { tls: { cert: CA, key }, logger: log.logger });
  const { ask } = await http2Client(t, on.url, CA);
  const type = { 'content-type': 'text/plain' };
  await ask(NEWS, { method: 'PUT', headers: type });
  const raw = await rawTls(t, on.port, CA, 'h2');
  const head = { ':method': 'POST', ':scheme': 'https', ':authority': 'localhost', ':path': NEWS, ...type };
  raw.write(Buffer.concat([PREFACE, frameOf(FRAMES.headers, END_HEADERS, 1, fieldsOf(head))]));
  raw.write(frameOf(FRAMES.data, 0, 1, Buffer.from('half of ')));
  await eventually('the request', () => log.text().includes('"method":"POST"'));
  raw.resume().write(frameOf(FRAMES.reset, 0, 1, Buffer.from([0, 0, 0, CANCEL])));
  await eventually('the refusal', () => log.text().includes('request: bad_envelope'));
  t.equal((await ask(NEWS, { method: 'POST', headers: type, body: 'whole' })).status, 204);
  t.equal((await ask(`${NEWS}?offset=-1`)).body, 'whole');
  t.strictSame(log.errors(), []);
});

t.test('long-poll / published to while it waits → answered with that', async (t) => {
  const on = await secureStreams(t);
  await create(on);
  const waiting = on.ask(`${NEWS}?offset=now&live=long-poll`);
  await sessionsReach(on, 1);
  await publish(on, 'later');
  t.match(await waiting, { status: 200, body: '["later"]', headers: { 'stream-cursor': /^\d+$/ } });
  await sessionsReach(on, 0);
});

t.test('long-poll and events / reset by their client → freed, and the connection goes on', async (t) => {
  const on = await secureStreams(t);
  await create(on);
  const paths = [
    `${NEWS}?offset=now&live=long-poll`,
    `${NEWS}?offset=now&live=sse`,
    '/v1/read?channel=news&waitMs=120000',
  ];
  for (const path of paths) {
    await t.test(path, async () => {
      const waiting = on.begin(path);
      await sessionsReach(on, 1);
      const closed = closeOf(waiting);
      waiting.close(CANCEL);
      await closed;
      await sessionsReach(on, 0);
    });
  }
  t.match(on.app.earshot.stats(), { subscriptions: 0, channels: 0, queuedBytes: 0 });
  t.equal((await publish(on, 'still')).status, 204);
});

t.test('long-poll and events / the connection is lost → all are freed', async (t) => {
  const on = await secureStreams(t);
  await create(on);
  for (const live of ['long-poll', 'sse', 'long-poll', 'sse'])
    on.begin(`${NEWS}?offset=now&live=${live}`).on('error', () => {});
  await sessionsReach(on, 4);
  on.session.destroy();
  await sessionsReach(on, 0);
  t.match(on.app.earshot.stats(), { subscriptions: 0, channels: 0, queuedBytes: 0 });
});

t.test('events / twelve channels on one connection → each gets its own, in order', async (t) => {
  const on = await secureStreams(t);
  const paths = Array.from({ length: 12 }, (_, at) => `/v1/stream/many/${at}`);
  await Promise.all(paths.map((path) => create(on, path)));
  const streams = await Promise.all(
    paths.map(async (path) => {
      const stream = on.begin(`${path}?offset=now&live=sse`);
      t.match(await headersOf(stream), { ':status': 200, 'content-type': 'text/event-stream' });
      return eventsIn(stream);
    }),
  );
  t.equal(on.app.earshot.stats().sessions, 12);
  for (const nth of [1, 2]) for (const path of paths) await publish(on, `${nth} of ${path}`, path);
  for (const [at, events] of streams.entries()) {
    for (const nth of [1, 2]) t.strictSame(await nextData(events), [`${nth} of ${paths[at]}`]);
  }
});

const PART = 'x'.repeat(50_000);
const PARTS = 100;
/** What may be queued before a reader falls back to the log, a batch on top, and what it takes to print it. */
const MAX_QUEUED_BYTES = 256 * 1024 + 2 * 128 * 1024;

t.test(
  'events / 5 MB are published while their reader takes nothing → little is held, all comes in the end',
  async (t) => {
    const on = await secureStreams(t);
    await create(on);
    const stream = on.begin(`${NEWS}?offset=now&live=sse`);
    await headersOf(stream); // and from here on it reads nothing: no window is given
    const other = await http2Client(t, on.url, CA);
    let most = 0;
    for (let at = 0; at < PARTS; at++) {
      t.equal((await publish(other, at + PART)).status, 204);
      most = Math.max(most, on.app.earshot.stats().queuedBytes);
    }
    t.ok(most > 0, 'it was behind');
    t.ok(most <= MAX_QUEUED_BYTES, `${most} bytes were held`);
    const got: number[] = [];
    const events = eventsIn(stream);
    while (got.length < PARTS) {
      for (const part of [await nextData(events)].flat()) got.push(Number.parseInt(String(part), 10));
    }
    t.strictSame(
      got,
      Array.from({ length: PARTS }, (_, at) => at),
    );
    await eventually('an empty queue', () => on.app.earshot.stats().queuedBytes === 0);
  },
);

t.test('/v1/read / polling, long-polling and events → one cursor leads through all of them', async (t) => {
  const on = await secureStreams(t);
  const channels = '/v1/read?channel=a&channel=b';
  const parsed = ({ status, body }: Answer): Read => {
    t.equal(status, 200, body);
    return JSON.parse(body);
  };
  const { cursor: first, envelopes } = parsed(await on.ask(channels));
  t.strictSame(envelopes, []);
  await on.app.earshot.publish('a', 'polled');
  const polled = parsed(await on.ask(`${channels}&cursor=${first}`));
  t.match(polled.envelopes, [{ channel: 'a', data: 'polled' }]);
  const waiting = on.ask(`${channels}&cursor=${polled.cursor}&waitMs=120000`);
  await sessionsReach(on, 1);
  await on.app.earshot.publish('b', 'waited for');
  const waited = parsed(await waiting);
  t.match(waited.envelopes, [{ channel: 'b', data: 'waited for' }]);
  await sessionsReach(on, 0);
  const stream = on.begin(`${channels}&cursor=${waited.cursor}`, { headers: EVENTS });
  await headersOf(stream);
  await on.app.earshot.publish('a', 'as an event');
  for await (const { data } of eventsIn(stream)) {
    const envelope = JSON.parse(data ?? '{}');
    if (envelope.type !== 'message') continue;
    t.match(envelope, { channel: 'a', data: 'as an event' });
    break;
  }
});

interface Read {
  readonly cursor: string;
  readonly envelopes: readonly unknown[];
}

t.test(
  'drain / with events and long-polls open → told when to come back: `retry`, and 503 with Retry-After',
  async (t) => {
    const on = await secureStreams(t);
    await create(on);
    const streams = [`${NEWS}?offset=now&live=sse`, `${NEWS}?offset=-1&live=sse`].map((path) =>
      on.begin(path),
    );
    await Promise.all(streams.map(headersOf));
    const polls = [0, 1].map(() => on.ask(`${NEWS}?offset=now&live=long-poll`));
    await sessionsReach(on, 4);
    const texts = Promise.all(streams.map(textOf));
    const drained = on.app.earshot.drain();
    for (const text of await texts) t.match(text, /(^|\n)retry: \d+\n\n$/, 'the last that it says');
    for (const poll of polls)
      t.match(await poll, { status: 503, headers: { 'retry-after': /^\d+$/ }, body: /"draining"/ });
    await drained;
    t.equal(on.app.earshot.stats().sessions, 0);
    t.equal((await on.ask(`${NEWS}?offset=now&live=long-poll`)).status, 503, 'nobody new is let in');
  },
);
