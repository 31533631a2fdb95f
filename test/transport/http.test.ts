import fc from 'fast-check';
import t from 'tap';
import { formatOffset, makeEpoch, parseOffset } from '../../src/protocol/offset.js';
import { ChannelEventEncoding } from '../../src/transport/http/channel-events.js';
import { bodyOf, chunksOf, eventDataOf } from '../../src/transport/http/channel-stream.js';
import { nextCursor } from '../../src/transport/http/collapse.js';
import { fingerprint, formatCursor, parseCursor } from '../../src/transport/http/cursor.js';
import { eventText } from '../../src/transport/http/event.js';

const KEY = '0123456789abcdef0123456789abcdef';
const channelName = fc.stringMatching(/^[a-zA-Z0-9_:@~-]{1,40}(\/[a-zA-Z0-9_:@~-]{1,40}){0,3}$/);
const offset = fc
  .tuple(fc.integer({ min: 1.7e12, max: 2.5e12 }), fc.nat(1295), fc.nat(Number.MAX_SAFE_INTEGER))
  .map(([ms, salt, seq]) => formatOffset(makeEpoch(ms, salt), seq));

t.test(
  'cursor / of any channels and offsets → comes back as it was, and needs no escape in a URL',
  async (t) => {
    const places = fc.dictionary(channelName, fc.oneof(offset, fc.constant('-1')), { maxKeys: 128 });
    fc.assert(
      fc.property(places, (each) => {
        const offsets = new Map(Object.entries(each).map(([name, at]) => [fingerprint(name), at]));
        const text = formatCursor({ key: KEY, offsets });
        const parsed = parseCursor(text, 128);
        return (
          encodeURIComponent(text) === text &&
          parsed.key === KEY &&
          JSON.stringify([...parsed.offsets]) === JSON.stringify([...offsets])
        );
      }),
    );
    const all = Array.from(
      { length: 128 },
      (_, at) => [fingerprint(`a/${at}`), formatOffset('0mwvjpsj1vi', at)] as const,
    );
    const { length } = formatCursor({ key: KEY, offsets: new Map(all) });
    t.ok(length < 4000, `${length} characters for 128 channels: it fits into a line of a request`);
  },
);

t.test('cursor / any other text → bad_offset, and no other error', async (t) => {
  const refused = (text: string) => {
    try {
      parseCursor(text, 3);
      return false;
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'bad_offset';
    }
  };
  const good = formatCursor({
    key: KEY,
    offsets: new Map([[fingerprint('a'), formatOffset('0mwvjpsj1vi', 7)]]),
  });
  t.equal(parseCursor(good, 3).offsets.size, 1);
  for (const bad of [
    '',
    '1',
    '1.',
    `2${good.slice(1)}`,
    `${good}.`,
    `${good}.x`,
    good.slice(0, -30),
    `${good}zzzzzzzzzzz`,
  ])
    t.ok(refused(bad), bad);
  t.ok(refused([good, ...Array(3).fill(good.split('.')[2])].join('.')), 'more than there may be');
  fc.assert(fc.property(fc.string(), (text) => refused(text)));
});

t.test('fingerprint / of many names → no two are one', async (t) => {
  const names = Array.from({ length: 50_000 }, (_, at) => `room/${at}`);
  t.equal(new Set(names.map(fingerprint)).size, names.length);
  t.ok(names.every((name) => /^[0-9a-z]{11}$/.test(fingerprint(name))));
});

t.test(
  'event / data of any lines → read back as they were; nothing of it is taken for a field',
  async (t) => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', ':', 'data:', 'event: x', 'é') }),
        (data) => {
          const lines = eventText({ event: 'e', id: '1', data }).split('\n');
          const found = lines
            .filter((line) => line.startsWith('data:'))
            .map((line) => line.slice(5).replace(/^ /, ''));
          const others = lines.filter((line) => !line.startsWith('data:'));
          return (
            found.join('\n') === data.split(/\r\n|\r|\n/).join('\n') &&
            JSON.stringify(others) === JSON.stringify(['event: e', 'id: 1', '', ''])
          );
        },
      ),
    );
    t.equal(eventText({ id: '1' }), 'id: 1\n\n');
  },
);

t.test(
  'time cursor / whatever the reader has → later than that, and the step of time where it has none',
  async (t) => {
    const now = Date.UTC(2026, 10, 25, 12, 0, 1);
    const step = nextCursor(undefined, now, 0);
    t.equal(step, Math.floor((now - Date.UTC(2024, 9, 9)) / 20_000));
    t.equal(nextCursor(undefined, now + 20_000, 0), step + 1);
    t.equal(nextCursor(String(step - 1), now, 0.5), step);
    t.equal(nextCursor(String(step), now, 0), step + 1);
    t.equal(nextCursor(String(step + 1000), now, 0.999), step + 1180);
    for (const garbage of ['', '-1', 'abc', '1e3', '9'.repeat(16)])
      t.equal(nextCursor(garbage, now, 0), step, garbage);
  },
);

const stored = (data: string | Uint8Array, seq = 1) => ({
  seq,
  offset: formatOffset('0mwvjpsj1vi', seq),
  from: 'ann',
  at: 0,
  data,
});

t.test('chunks / of JSON and of bytes → one body, whatever the pieces', async (t) => {
  const json = chunksOf('Application/JSON; charset=utf-8');
  const one = json.messages('a', [stored('{"a":1}'), stored('2', 2)], false);
  const other = json.messages('a', [stored('[3]', 3)], true);
  t.equal(bodyOf('application/json', [one, other]).toString(), '[{"a":1},2,[3]]');
  t.equal(bodyOf('application/json', []).toString(), '[]');
  t.equal(other.offset, formatOffset('0mwvjpsj1vi', 3));
  const bytes = chunksOf('image/png').messages(
    'a',
    [stored(Buffer.from([0, 255])), stored(Buffer.from([1]), 2)],
    true,
  );
  t.same([...bodyOf('image/png', [bytes, bytes])], [0, 255, 1, 0, 255, 1]);
});

t.test('events / by the type of the channel → JSON and text as they are, the rest as base64', async (t) => {
  t.same(['application/json', 'text/html; charset=utf-8', 'application/x-ndjson'].map(eventDataOf), [
    'json',
    'text',
    'base64',
  ]);
  const encoding = new ChannelEventEncoding('base64', () => 5);
  const { text, upToDate } = encoding.messages('a', [stored(Buffer.from([1, 2, 3]))], false);
  const at = formatOffset('0mwvjpsj1vi', 1);
  const control = `{"streamNextOffset":"${at}","streamCursor":"5"}`;
  t.equal(
    text.toString(),
    `event: data\ndata:AQID\nid: ${at}\n\nevent: control\ndata:${control}\nid: ${at}\n\n`,
  );
  t.equal(upToDate, false);
  t.equal(parseOffset(at) !== undefined, true);
});

t.test(
  'events / a channel that ends, and a server that does → told in the words of the protocol',
  async (t) => {
    const encoding = new ChannelEventEncoding('json', () => 5);
    const closed = encoding.push({ type: 'closed', channel: 'a', offset: 'x' });
    t.equal(
      closed?.text,
      'event: control\ndata:{"streamNextOffset":"x","upToDate":true,"streamClosed":true}\nid: x\n\n',
    );
    const bye = encoding.push({ type: 'bye', code: 'draining', advice: 'retry', afterMs: [700, 700] });
    t.equal(bye?.text, 'retry: 700\n\n');
    t.equal(encoding.push({ type: 'gap', channel: 'a', offset: 'x', reason: 'retention' }), undefined);
  },
);
