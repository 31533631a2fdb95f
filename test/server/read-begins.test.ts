import t from 'tap';
import { EnvelopeEventStream } from '../../src/transport/http/envelope-events.js';
import { Positions } from '../../src/transport/http/positions.js';
import { scene } from './scene.js';
import { JSON_BODY } from './streams-scene.js';

const EVENTS = { accept: 'text/event-stream' };

t.test(
  'several channels as events / one may not be read → the request is refused, and nothing left open',
  async (t) => {
    const { app, url } = await scene(t, {
      channels: { 'open/*': { anonymous: ['subscribe'] }, 'shut/*': {} },
    });
    await app.earshot.publish('open/a', 1);
    for (const query of ['channel=open/a&channel=shut/b', 'channel=shut/b&channel=open/a']) {
      const response = await fetch(`${url}/v1/read?${query}&offset=-1`, { headers: EVENTS });
      t.equal(response.status, 403, query);
      t.match(await response.json(), { code: 'forbidden' });
    }
  },
);

t.test(
  'several channels as events / one has no such offset, others have begun → a bye, and the end',
  async (t) => {
    const { app, url } = await scene(t);
    const { offset } = await app.earshot.publish('a', 1);
    await app.earshot.publish('b', 1);
    const { offset: last } = await app.earshot.history('b');
    const beyond = last.replace(/.$/, '9');
    const query = `channel=a&channel=b&offset=-1&offset=${beyond}`;
    const response = await fetch(`${url}/v1/read?${query}`, { headers: EVENTS });
    const text = await response.text();
    t.match(text, offset);
    t.match(text, '"type":"bye","code":"bad_offset","advice":"never"');
  },
);

t.test('events / told before it is known where a channel begins → no position that lacks it', async (t) => {
  const written: string[] = [];
  const response = {
    writableLength: 0,
    write: (data: string | Uint8Array) => written.push(data.toString()) > 0,
    end() {},
    destroy() {},
    once() {},
  };
  const positions = new Positions('0'.repeat(32), 2);
  positions.set('a', '-1');
  const stream = new EnvelopeEventStream(response, positions, { begin() {}, closeTimeoutMs: 1 });
  stream.write([{ text: '1' }]);
  positions.set('b', '-1');
  stream.settled();
  stream.write([{ text: '2' }]);
  const id = `id: ${positions.cursor}\n`;
  t.strictSame(written, ['data:1\n\n', `${id}\n`, `data:2\n${id}\n`]);
});

t.test('one cursor, two users / who is there → two members, each by its own name', async (t) => {
  const { app, url } = await scene(t, {
    hooks: { onConnect: ({ request }) => ({ user: String(request.headers['x-user'] ?? 'nobody') }) },
  });
  const read = async (user: string, cursor = '') => {
    const response = await fetch(`${url}/v1/read?channel=a${cursor}`, { headers: { 'x-user': user } });
    return response.json();
  };
  const { cursor } = await read('ann');
  await read('bob', `&cursor=${cursor}`);
  const users = app.earshot.presence('a').members.map(({ user }) => user);
  t.strictSame(users.sort(), ['ann', 'bob']);
});

t.test('a long-poll / more comes at once than it holds → it does not say that nothing follows', async (t) => {
  const on = await scene(t);
  const stream = `${on.url}/v1/stream/a`;
  await fetch(stream, { method: 'PUT', headers: JSON_BODY });
  const waiting = fetch(`${stream}?offset=now&live=long-poll`);
  await on.metricReaches(1, 'earshot_sessions', { transport: 'long-poll' });
  const body = JSON.stringify(Array.from({ length: 40 }, () => 'x'.repeat(30_000)));
  const posted = await fetch(stream, { method: 'POST', headers: JSON_BODY, body });
  const answered = await waiting;
  t.not(answered.headers.get('stream-next-offset'), posted.headers.get('stream-next-offset'));
  t.equal(answered.headers.get('stream-up-to-date'), null);
});

t.test(
  'a page that the reader has already / asked for with its ETag → 304, and no message is counted',
  async (t) => {
    const on = await scene(t);
    await on.app.earshot.publish('a', 1);
    const stream = `${on.url}/v1/stream/a`;
    const { headers } = await fetch(stream);
    const again = await fetch(stream, { headers: { 'if-none-match': headers.get('etag') ?? '' } });
    t.equal(again.status, 304);
    t.equal(await on.metric('earshot_messages_out_total', { transport: 'poll' }), 1);
  },
);
