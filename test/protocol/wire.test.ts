import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import * as z from 'zod';
import { CHANNEL_RULE, isChannel } from '../../src/protocol/channel.js';
import { adviceOfClose, CLOSES, ERRORS, isErrorCode } from '../../src/protocol/codes.js';
import { command } from '../../src/protocol/commands.js';
import { encodeHistory, encodeMessage } from '../../src/protocol/encode.js';
import { NEWS_VERSION, news } from '../../src/protocol/nodes/news.js';
import { formatOffset, makeEpoch, parseOffset } from '../../src/protocol/offset.js';
import { envelope, message } from '../../src/protocol/pushes.js';
import { Refused } from '../../src/protocol/refused.js';
import { historyReply } from '../../src/protocol/replies.js';
import { BEARER_PREFIX, BEGINNING, NOW, SUBPROTOCOL } from '../../src/protocol/version.js';

/**
 * What stands on the wire, pinned beside its name. Where one of these fails, the wire has changed: say so in
 * docs/protocol.md, and where programs of yesterday no longer understand it, under another subprotocol.
 */
const PINNED = {
  subprotocol: 'earshot.v1.json',
  commands: 'bf3ab105f7846116ae37a667b65c15bb96a24388e741ed3c1575cda29f04a2c4',
  newsVersion: 1,
  news: 'b418d954e3cffca682bbd576d1636f067a7e34cbf24981a3a8997b17e9e2fb4b',
  envelopes: '598b03b000abd657b10916f09fa05c2bab00195b6768aea8f3b790f18b9457e1',
};

/** The same for schemas that mean the same: keys in one order, nothing of the printer's version. */
function fingerprint(schema: z.ZodType, io: 'input' | 'output'): string {
  const { $schema: _, ...printed } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return createHash('sha256')
    .update(JSON.stringify(sorted(printed)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}

t.test('wire / the schemas → are those that were pinned', async (t) => {
  t.equal(SUBPROTOCOL, PINNED.subprotocol);
  t.equal(fingerprint(command, 'input'), PINNED.commands, 'what a client may send');
  t.equal(fingerprint(envelope, 'output'), PINNED.envelopes, 'what a server may send');
  t.same([BEARER_PREFIX, BEGINNING, NOW], ['earshot.bearer.', '-1', 'now']);
});

t.test('news / the schema → is the one that was pinned beside its version', async (t) => {
  t.equal(NEWS_VERSION, PINNED.newsVersion);
  t.equal(
    fingerprint(news, 'input'),
    PINNED.news,
    'what nodes say to each other: another schema is another version',
  );
});

t.test('wire / the smallest change of a schema → another fingerprint', async (t) => {
  const changed = z.union([command, z.strictObject({ type: z.literal('shout') })]);
  t.not(fingerprint(changed, 'input'), PINNED.commands);
});

t.test('channel names / the table', async (t) => {
  const segment = 'x'.repeat(24);
  const longest = Array.from({ length: 8 }, () => segment).join('/');
  const good = [
    'a',
    'lobby',
    'room/42',
    'A-Z_a.z:0@9~',
    'a/b/c/d/e/f/g/h',
    '...',
    '.a',
    'a.',
    'a/..b',
    '-1',
    'now',
  ];
  for (const name of [...good, 'x'.repeat(200), longest]) t.equal(isChannel(name), true, name);
  const bad = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    'a/.',
    './a',
    'a/../b',
    'a b',
    'a\n',
    '\na',
    'é',
    'a%2Fb',
    'a?b',
  ];
  for (const name of [
    ...bad,
    'a/b/c/d/e/f/g/h/i',
    'x'.repeat(201),
    'a\\b',
    'a"b',
    'a\0',
    'a*',
    'a+b',
    'a,b',
    'a=b',
  ])
    t.equal(isChannel(name), false, JSON.stringify(name));
  t.match(CHANNEL_RULE, /1 to 8 segments/);
});

t.test('channel names / any that is taken → needs no escape in JSON', async (t) => {
  const name = fc.array(fc.stringMatching(/^[A-Za-z0-9_.:@~-]{1,20}$/), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(name, (segments) => {
      const channel = segments.join('/');
      const dots = segments.some((each) => each === '.' || each === '..');
      return isChannel(channel) === !dots && JSON.stringify(channel) === `"${channel}"`;
    }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => !isChannel(text) || JSON.stringify(text) === `"${text}"`,
    ),
  );
  t.pass('for all');
});

const position = fc.record({
  nowMs: fc.integer({ min: 0, max: 36 ** 9 - 1 }),
  salt: fc.integer({ min: 0, max: 1295 }),
  seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
});

t.test('offsets / any position → printed, read back, and sorted as positions are', async (t) => {
  fc.assert(
    fc.property(position, ({ nowMs, salt, seq }) => {
      const epoch = makeEpoch(nowMs, salt);
      const offset = formatOffset(epoch, seq);
      const parsed = parseOffset(offset);
      return JSON.stringify(parsed) === JSON.stringify({ epoch, seq }) && !/[,&=?/"\\]/.test(offset);
    }),
  );
  fc.assert(
    fc.property(position, position, (left, right) => {
      const [a, b] = [left, right].map(({ nowMs, salt, seq }) => formatOffset(makeEpoch(nowMs, salt), seq));
      if (a === undefined || b === undefined) return false;
      const order = left.nowMs - right.nowMs || left.salt - right.salt || left.seq - right.seq;
      return Math.sign(order) === Buffer.compare(Buffer.from(a), Buffer.from(b));
    }),
    { numRuns: 500 },
  );
  t.equal(formatOffset(makeEpoch(1_800_000_000_000, 7), 12), '0mywpiww007_0000000000000012');
});

t.test('offsets / what was never given out → bad_offset', async (t) => {
  t.equal(parseOffset('-1'), '-1');
  t.equal(parseOffset('now'), 'now');
  const good = formatOffset(makeEpoch(1, 0), 1);
  const bad = [
    '',
    '0',
    '-2',
    'NOW',
    'now ',
    ` ${good}`,
    `${good}0`,
    good.slice(1),
    good.toUpperCase().replace('0', 'A'),
  ];
  for (const text of [
    ...bad,
    good.replace('_', '-'),
    `${good.slice(0, 12)}9999999999999999`,
    `${good}\n`,
    'null',
  ])
    t.throws(() => parseOffset(text), { name: 'Refused', code: 'bad_offset' }, JSON.stringify(text));
});

t.test('errors / the table of PROTOCOL → code, HTTP status, advice', async (t) => {
  const wanted = {
    bad_envelope: '400 never',
    bad_channel: '400 never',
    bad_data: '422 never',
    bad_offset: '400 never',
    unauthenticated: '401 refresh',
    forbidden: '403 never',
    not_found: '404 never',
    conflict: '409 never',
    closed: '409 never',
    gone: '410 never',
    fenced: '403 never',
    out_of_sequence: '409 never',
    too_large: '413 never',
    too_many: '429 retry',
    rate_limited: '429 retry',
    internal: '500 retry',
    draining: '503 retry',
    unavailable: '503 retry',
  };
  const rows = Object.entries(ERRORS);
  const printed = Object.fromEntries(rows.map(([code, { status, advice }]) => [code, `${status} ${advice}`]));
  t.match(printed, wanted);
  for (const [code, { status, meaning }] of rows) {
    t.match(code, /^[a-z]+(?:_[a-z]+)*$/);
    t.ok(status >= 400 && status < 600 && meaning.endsWith('.'), code);
    t.equal(isErrorCode(code), true);
  }
  for (const code of ['', 'toString', '__proto__', 'BAD_DATA']) t.equal(isErrorCode(code), false);
});

t.test('closes / the number is the advice', async (t) => {
  const advice = Object.fromEntries(Object.values(CLOSES).map(({ code }) => [code, adviceOfClose(code)]));
  t.same(advice, {
    1000: 'never',
    1001: 'retry',
    1002: 'never',
    1003: 'never',
    1007: 'never',
    1008: 'never',
    1009: 'never',
    1011: 'retry',
    1012: 'retry',
    4400: 'never',
    4401: 'refresh',
    4403: 'never',
    4408: 'retry',
    4413: 'never',
    4429: 'retry',
  });
  const codes = Object.values(CLOSES).map(({ code }) => code);
  t.equal(new Set(codes).size, codes.length, 'each number once');
  for (const code of [0, 1005, 1006, 1013, 4000, 4999])
    t.equal(adviceOfClose(code), 'retry', `${code}: a cut`);
});

const stored = fc.record({
  offset: position.map(({ nowMs, salt, seq }) => formatOffset(makeEpoch(nowMs, salt), seq)),
  from: fc.string({ unit: 'binary' }),
  at: fc.integer({ min: 0 }),
  data: fc.json(),
});

t.test('encoding / any message → what the schemas take, its data spliced in as it is', async (t) => {
  fc.assert(
    fc.property(stored, (each) => {
      const text = encodeMessage('room/1', each);
      const parsed = message.parse(JSON.parse(text));
      envelope.parse(parsed);
      const isSame = parsed.offset === each.offset && parsed.from === each.from && parsed.at === each.at;
      return isSame && parsed.channel === 'room/1' && text.endsWith(`"data":${each.data}}`);
    }),
  );
  t.equal(
    encodeMessage('a', { offset: 'o', from: 'ann "b"', at: 5, data: '{ "x" : 1 }' }),
    '{"type":"message","channel":"a","offset":"o","from":"ann \\"b\\"","at":5,"data":{ "x" : 1 }}',
  );
});

t.test('encoding / any page of history → what the schemas take', async (t) => {
  const page = fc.record({
    messages: fc.array(stored, { maxLength: 5 }),
    offset: fc.constant('o'),
    upToDate: fc.boolean(),
  });
  fc.assert(
    fc.property(page, fc.integer({ min: 1 }), (each, id) => {
      const parsed = historyReply.parse(JSON.parse(encodeHistory(id, 'a', each)));
      envelope.parse(parsed);
      return (
        parsed.id === id &&
        parsed.upToDate === each.upToDate &&
        JSON.stringify(parsed.messages.map(({ data }) => data)) ===
          JSON.stringify(each.messages.map(({ data }) => JSON.parse(data)))
      );
    }),
  );
  t.equal(
    encodeHistory(3, 'a', { messages: [], offset: 'o', upToDate: true }),
    '{"type":"history","id":3,"channel":"a","messages":[],"offset":"o","upToDate":true}',
  );
});

t.test('refused / → is an error with its code and details', async (t) => {
  const refused = new Refused('bad_data', 'too deep', ['data: deep']);
  t.ok(refused instanceof Error);
  t.match(refused, { name: 'Refused', code: 'bad_data', message: 'too deep', details: ['data: deep'] });
  t.equal(new Refused('gone', 'gone').details, undefined);
});
