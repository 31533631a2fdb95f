import fc from 'fast-check';
import t from 'tap';
import type { Decoded } from '../../src/protocol/decode.js';
import { decodeCommand } from '../../src/protocol/decode.js';
import { outlineJson, splitJsonArray } from '../../src/protocol/json-text.js';

const MAX_DEPTH = 64;
/** What no text of a frame may take longer than, and every one is far below. */
const QUICK_MS = 1000;

const decode = (text: string) => decodeCommand(text, MAX_DEPTH);

function dataTextOf(decoded: Decoded): string {
  if (!decoded.ok) throw new Error(decoded.fault.message);
  return decoded.dataText;
}

/** A frame that publishes the data of this text. */
const publish = (data: string) => `{"type":"publish","id":1,"channel":"a","data":${data}}`;

/** Whitespace as JSON knows it. */
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });

/** The text of a JSON string: characters, escapes that need not be, and what looks like the end of something. */
const string = fc
  .array(
    fc.oneof(
      fc.constantFrom('\\n', '\\u0061', '\\u005C', '\\\\', '\\"', '\\/', '{', '}', '[', ']', ',', ':', ' '),
      fc.string({ unit: 'binary', maxLength: 3 }).map((each) => JSON.stringify(each).slice(1, -1)),
    ),
    { maxLength: 6 },
  )
  .map((pieces) => `"${pieces.join('')}"`);

/** The text of a JSON value, with whitespace and escapes in every place where they may be. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; key: string }>((tie) => {
  const list = (items: fc.Arbitrary<string>, [open, close]: readonly [string, string]) =>
    fc
      .tuple(fc.array(fc.tuple(space, items, space), { maxLength: 4 }), space)
      .map(
        ([each, inside]) =>
          `${open}${each.length > 0 ? each.map((part) => part.join('')).join(',') : inside}${close}`,
      );
  const text = fc.string({ unit: 'binary', maxLength: 8 });
  return {
    key: fc.oneof(
      fc.constantFrom('"data"', '"id"', '"type"', '"d\\u0061ta"', '"__proto__"', '"\\""'),
      text.map((each) => JSON.stringify(each)),
    ),
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        'null',
        'true',
        '-0.0e+5',
        '1E9',
        '"}"',
        '"\\\\"',
        '"\\u005c\\""',
        '"],[{"',
        '{}',
        '[]',
      ),
      string,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      list(tie('value'), ['[', ']']),
      list(
        fc
          .tuple(tie('key'), space, space, tie('value'))
          .map(([key, before, after, value]) => `${key}${before}:${after}${value}`),
        ['{', '}'],
      ),
    ),
  };
}).value;

/** Levels of nesting of a parsed value: the slow way, for comparison. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Object.values(value).reduce((deepest: number, each) => Math.max(deepest, depthOf(each)), 0);
}

t.test('data / any JSON → the text exactly as it was sent', async (t) => {
  fc.assert(
    fc.property(jsonText, space, space, (data, before, after) => {
      const text = dataTextOf(
        decode(`{"type":"publish","id":1,"channel":"a","data":${before}${data}${after}}`),
      );
      if (text !== data) throw new Error(`got ${text}`);
    }),
    { numRuns: 1000 },
  );
  t.equal(dataTextOf(decode(publish(' { "b" : [ 1 ,\t2 ] } '))), '{ "b" : [ 1 ,\t2 ] }');
  t.equal(dataTextOf(decode(publish('"\\u0065\\n\\/"'))), '"\\u0065\\n\\/"', 'escapes stay');
  t.equal(dataTextOf(decode(publish('1.50e+2'))), '1.50e+2', 'so do numbers as they were written');
  t.equal(dataTextOf(decode(publish('{"a":1,"a":2}'))), '{"a":1,"a":2}', 'and keys that are there twice');
});

t.test('data / its key in any place and spelling, and twice → what JSON.parse takes it for', async (t) => {
  const key = fc.constantFrom('"data"', '"d\\u0061ta"', '"\\u0064\\u0061\\u0074\\u0061"');
  const members = fc.array(fc.tuple(key, space, jsonText), { minLength: 1, maxLength: 4 });
  const others = ['"type":"publish"', '"id":7', '"channel":"a"'];
  fc.assert(
    fc.property(members, fc.nat(), (data, seed) => {
      const all = [...others];
      for (const [at, [name, gap, value]] of data.entries())
        all.splice((seed + at * 7) % (all.length + 1), 0, `${gap}${name}${gap}:${gap}${value}${gap}`);
      const text = `{${all.join(',')}}`;
      const decoded = decode(text);
      const wanted = JSON.stringify(JSON.parse(text).data);
      if (JSON.stringify(JSON.parse(dataTextOf(decoded))) !== wanted) throw new Error(`not ${wanted}`);
    }),
    { numRuns: 500 },
  );
  t.equal(
    dataTextOf(decode('{"data":1,"type":"publish","data": 2 ,"channel":"a","id":1}')),
    '2',
    'the last wins',
  );
  t.equal(dataTextOf(decode('{"type":"publish","id":1,"channel":"a","d\\u0061ta":"x"}')), '"x"');
});

t.test('data / a `data` that is not the member of the envelope → is not taken for it', async (t) => {
  for (const text of [
    '{"type":"publish","id":1,"channel":"a","producer":{"id":"p","epoch":0,"seq":0,"data":1}}',
    '{"type":"publish","id":1,"channel":"data","xdata":1}',
    '{"type":"data","data":1}',
  ]) {
    t.match(decode(text), { ok: false, fault: { code: 'bad_envelope' } }, text);
  }
  const nested = '{"type":"publish","id":1,"channel":"a","data":{"data":{"data":1},"id":5}}';
  t.match(decode(nested), { ok: true, command: { id: 1 }, dataText: '{"data":{"data":1},"id":5}' });
});

t.test('depth / any JSON → as a walk over the parsed value counts it', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'large' }), fc.nat(2), (value, indent) => {
      return outlineJson(JSON.stringify(value, null, indent)).depth === depthOf(value);
    }),
    { numRuns: 500 },
  );
  t.equal(outlineJson('"[[[["').depth, 0, 'brackets in strings are no levels');
  t.equal(outlineJson('{"\\"[":{}}').depth, 2);
});

t.test('depth / 64 levels of data → taken; one more → bad_data, with the id of the command', async (t) => {
  const nest = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  t.equal(decode(publish(nest(64))).ok, true);
  const tooDeep = { ok: false, fault: { code: 'bad_data', id: 1, message: /64 levels/ } };
  t.match(decode(publish(nest(65))), tooDeep);
  t.match(decode(publish(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)), tooDeep);
  t.match(decode(publish(nest(30_000))), tooDeep, 'what JSON.stringify would not survive');
  t.match(decode('['.repeat(65_536)), { ok: false, fault: { code: 'bad_data' } });
});

/** Frames that broke something somewhere, or might. */
const NASTY = [
  '',
  ' ',
  '\0',
  '\ufeff{}',
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '{"',
  '{"a',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,',
  '{,}',
  '{"data"}',
  '{"data":}',
  '{"data":,"id":}',
  '}}}{"data":1}',
  '{"a"::1}',
  '{"a":1:2}',
  '[1:2]',
  '"data":1',
  'null',
  'true',
  '1',
  '-',
  '"\\',
  '"\\u',
  '{"\\u00":1}',
  '{"\\":1}',
  '{"id":0x10,"data":[[[[',
  '\ud800',
  '"\ud800"',
  'NaN',
  '{"__proto__":{"type":"ping"}}',
  '{"constructor":{"prototype":{}}}',
  '{"type":"__proto__"}',
  '{"type":"toString"}',
  '{"type":["ping"]}',
  '{"type":{"ping":1}}',
  '{"type":"ping","id":9007199254740993}',
  '{"type":"ping","id":1e400}',
];

t.test('any text / never throws, and is quick', async (t) => {
  const frame = jsonText.map(publish);
  const broken = fc
    .tuple(frame, fc.nat(), fc.nat(8), fc.string({ unit: 'binary', maxLength: 4 }))
    .map(
      ([text, at, cut, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + cut),
    );
  const repeated = fc
    .tuple(
      fc.constantFrom('{"a":', '[', '"', '\\', '{"data":1,', ',', ':', '{', '"a":', '\\u0022', ' '),
      fc.nat(20_000),
    )
    .map(([text, times]) => text.repeat(times).slice(0, 65_536));
  const check = (text: string) => {
    const since = performance.now();
    const decoded = decode(text);
    splitJsonArray(text);
    if (performance.now() - since > QUICK_MS) throw new Error('not quick');
    if (!decoded.ok && decoded.fault.message === '') throw new Error('no word of what is wrong');
    if (decoded.ok && decoded.command.type === 'publish') JSON.parse(decoded.dataText);
  };
  fc.assert(fc.property(fc.string({ unit: 'binary' }), check), { numRuns: 500 });
  fc.assert(fc.property(broken, check), { numRuns: 1000 });
  fc.assert(fc.property(repeated, check), { numRuns: 100 });
  for (const text of NASTY) {
    check(text);
    t.equal(decode(text).ok, false, JSON.stringify(text));
  }
});

t.test('arrays / any elements → their texts, as they were sent', async (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(space, jsonText, space).map((parts) => parts.join('')),
        { minLength: 1 },
      ),
      (elements) => {
        const split = splitJsonArray(` [${elements.join(',')}]\n`);
        if (JSON.stringify(split) !== JSON.stringify(elements))
          throw new Error(`split into ${split?.join(' | ')}`);
      },
    ),
    { numRuns: 300 },
  );
  t.same(splitJsonArray(' [ ] '), []);
  for (const text of ['', '{}', '[', ']', '1', '"[]"', '[1', '1]'])
    t.equal(splitJsonArray(text), undefined, text);
});

t.test('commands / the smallest of each → its defaults', async (t) => {
  const smallest = [
    ['{"type":"subscribe","id":1,"channel":"a"}', { offset: 'now', presence: false }],
    ['{"type":"unsubscribe","id":1,"channel":"a"}', {}],
    ['{"type":"publish","id":1,"channel":"a","data":null}', { data: null }],
    ['{"type":"history","id":1,"channel":"a"}', { offset: '-1', limit: 100 }],
    ['{"type":"presence","id":1,"channel":"a"}', {}],
    ['{"type":"authenticate","id":1,"token":"t"}', {}],
    ['{"type":"ping"}', {}],
    ['{"type":"ping","id":9007199254740991}', {}],
  ] as const;
  for (const [text, defaults] of smallest) {
    const decoded = decode(text);
    t.same(decoded.ok && decoded.command, { ...JSON.parse(text), ...defaults }, text);
  }
  t.match(
    decode('{"type":"publish","id":1,"channel":"a","data":1,"producer":{"id":"p","epoch":0,"seq":3}}'),
    { ok: true, command: { producer: { id: 'p', epoch: 0, seq: 3 } } },
  );
});

t.test('commands / what is wrong with one → its code, the id where there is one, and the path', async (t) => {
  const long = 'x'.repeat(201);
  const cases = [
    ['nonsense', 'bad_envelope', undefined, undefined],
    ['[]', 'bad_envelope', undefined, /^envelope: /],
    ['{}', 'bad_envelope', undefined, /^type: /],
    ['{"type":"shout","id":4}', 'bad_envelope', 4, /^type: /],
    ['{"type":"ping","id":0}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"ping","id":-1}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"ping","id":1.5}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"ping","id":9007199254740992}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"ping","id":"1"}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"ping","id":null}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"unsubscribe","channel":"a"}', 'bad_envelope', undefined, /^id: /],
    ['{"type":"unsubscribe","id":4}', 'bad_envelope', 4, /^channel: /],
    ['{"type":"unsubscribe","id":4,"channel":5}', 'bad_envelope', 4, /^channel: /],
    ['{"type":"unsubscribe","id":4,"channel":"a b"}', 'bad_channel', 4, /^channel: 1 to 8 segments/],
    [`{"type":"publish","id":4,"channel":"${long}","data":1}`, 'bad_channel', 4, /^channel: /],
    ['{"type":"unsubscribe","id":0,"channel":"a b"}', 'bad_envelope', undefined, /: /],
    ['{"type":"publish","id":4,"channel":"a"}', 'bad_envelope', 4, /^data: /],
    ['{"type":"subscribe","id":4,"channel":"a","offset":5}', 'bad_envelope', 4, /^offset: /],
    ['{"type":"subscribe","id":4,"channel":"a","presence":1}', 'bad_envelope', 4, /^presence: /],
    ['{"type":"history","id":4,"channel":"a","limit":0}', 'bad_envelope', 4, /^limit: /],
    ['{"type":"history","id":4,"channel":"a","limit":1001}', 'bad_envelope', 4, /^limit: /],
    ['{"type":"authenticate","id":4,"token":""}', 'bad_envelope', 4, /^token: /],
    [`{"type":"authenticate","id":4,"token":"${'x'.repeat(16_385)}"}`, 'bad_envelope', 4, /^token: /],
    ['{"type":"publish","id":4,"channel":"a","data":1,"producer":null}', 'bad_envelope', 4, /^producer: /],
    [publishAs('{"id":"","epoch":0,"seq":0}'), 'bad_envelope', 4, /^producer\.id: /],
    [publishAs(`{"id":"${'x'.repeat(129)}","epoch":0,"seq":0}`), 'bad_envelope', 4, /^producer\.id: /],
    [publishAs('{"id":"p","epoch":-1,"seq":0}'), 'bad_envelope', 4, /^producer\.epoch: /],
    [publishAs('{"id":"p","epoch":0,"seq":0.5}'), 'bad_envelope', 4, /^producer\.seq: /],
    [publishAs('{"id":"p","epoch":0}'), 'bad_envelope', 4, /^producer\.seq: /],
    [publishAs('{"id":"p","epoch":0,"seq":0,"extra":1}'), 'bad_envelope', 4, /^producer: unknown "extra"$/],
  ] as const;
  for (const [text, code, id, detail] of cases) {
    const decoded = decode(text);
    t.equal(decoded.ok, false, text.slice(0, 80));
    if (decoded.ok) continue;
    t.equal(decoded.fault.code, code);
    t.equal(decoded.fault.id, id);
    t.match(decoded.fault.details?.[0] ?? '', detail ?? '');
  }
});

function publishAs(producer: string): string {
  return `{"type":"publish","id":4,"channel":"a","data":1,"producer":${producer}}`;
}

t.test('commands / keys that are unknown → are named, a few of them, shortened', async (t) => {
  const fault = (text: string) => {
    const decoded = decode(text);
    return decoded.ok ? undefined : decoded.fault;
  };
  t.match(fault('{"type":"ping","id":1,"chanel":"a","Id":2}'), {
    code: 'bad_envelope',
    id: 1,
    message: 'envelope: unknown "chanel", "Id"',
    details: ['envelope: unknown "chanel", "Id"'],
  });
  t.match(fault('{"type":"ping","__proto__":1}'), { message: 'envelope: unknown "__proto__"' });
  const many = Array.from({ length: 1000 }, (_, at) => `"${'k'.repeat(1000)}${at}":1`).join(',');
  const message = fault(`{"type":"ping",${many}}`)?.message ?? '';
  t.equal(message.match(/"k{40}…"/g)?.length, 5);
  t.ok(message.length < 300);
});

t.test('commands / wrong in many ways → one line each, with a bound', async (t) => {
  const decoded = decode('{"type":"history","id":"x","channel":"a b","offset":1,"limit":"y","more":1}');
  t.match(decoded, { ok: false, fault: { code: 'bad_envelope', message: String } });
  const lines = decoded.ok ? [] : (decoded.fault.details ?? []);
  t.same(lines.map((line) => line.split(':')[0]).sort(), ['channel', 'envelope', 'id', 'limit', 'offset']);
});
