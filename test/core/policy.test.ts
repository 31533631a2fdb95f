import fc from 'fast-check';
import t from 'tap';
import type { Action } from '../../src/core/policy/action.js';
import { ACTIONS } from '../../src/core/policy/action.js';
import { parseGrants } from '../../src/core/policy/grants.js';
import type { Pattern } from '../../src/core/policy/pattern.js';
import { concerns, contains, matches, parsePattern } from '../../src/core/policy/pattern.js';
import type { Caller } from '../../src/core/policy/policy.js';
import { Rules } from '../../src/core/policy/rules.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { ruleOf } from '../support/policy.js';

const NOBODY: Caller = { user: null, name: 'guest', claims: undefined };
const user = (name: string, channels?: object): Caller => ({
  user: name,
  name,
  claims: {},
  ...(channels !== undefined && { grants: parseGrants(channels) }),
});
const only = (...actions: Action[]) => new Set(actions);

function pattern(text: string): Pattern {
  const parsed = parsePattern(text);
  if (parsed === undefined) throw new Error(`no pattern: ${text}`);
  return parsed;
}

t.test('pattern / what is none → is refused', async (t) => {
  const bad = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '**/a',
    'a/**/b',
    'a b',
    'a*',
    '{sub}x',
    '{user}',
    '***',
    'ä',
    '.',
    '..',
  ];
  for (const text of [...bad, Array(9).fill('a').join('/')]) t.equal(parsePattern(text), undefined, text);
  for (const text of ['a', '*', '**', 'a/**', '{sub}', 'user/{sub}/**', Array(8).fill('a').join('/')]) {
    t.equal(parsePattern(text)?.text, text);
  }
});

t.test('pattern / {sub} → is the caller, letter by letter, and nothing that the caller chose', async (t) => {
  const own = pattern('user/{sub}/**');
  const cases = [
    ['user/ann', 'ann', true],
    ['user/ann/inbox', 'ann', true],
    ['user/bob/inbox', 'ann', false],
    ['user/ann', null, false],
    ['user/anna', 'ann', false],
    ['user/x/inbox', '*', false],
    ['user/x', '**', false],
    ['user/a/b', 'a/b', false],
    ['user/ann', '{sub}', false],
    ['user/ann', '', false],
  ] as const;
  for (const [channel, sub, expected] of cases)
    t.equal(matches(own, channel, sub), expected, `${channel} ${sub}`);
});

t.test(
  'rules / several take a channel → the most specific holds, in whatever order they are written',
  async (t) => {
    const patterns = [
      '**',
      'chat/**',
      'chat/*',
      'chat/lobby',
      'user/{sub}/**',
      'user/{sub}/inbox',
      'chat/*/log',
    ];
    const cases = {
      other: '**',
      'other/a/b': '**',
      chat: 'chat/**',
      'chat/lobby': 'chat/lobby',
      'chat/other': 'chat/*',
      'chat/lobby/log': 'chat/*/log',
      'chat/lobby/more': 'chat/**',
      'user/ann': 'user/{sub}/**',
      'user/ann/inbox': 'user/{sub}/inbox',
    };
    for (const order of [patterns, [...patterns].reverse(), [...patterns].sort()]) {
      const rules = new Rules(order.map((text) => ruleOf(text)));
      for (const [channel, expected] of Object.entries(cases)) {
        t.equal(rules.find(channel).pattern, expected, channel);
        t.equal(rules.find(channel).pattern, expected, 'and when it is asked for again');
      }
    }
  },
);

t.test('rules / two that tie → refused in words that say what to write', async (t) => {
  const make = (...patterns: string[]) => new Rules(['**', ...patterns].map((text) => ruleOf(text)));
  t.throws(() => make('a/*', '*/b'), {
    message: '"a/*" and "*/b" are equally specific where both apply: write one for "a/b" as well',
  });
  t.throws(() => make('a/**', '*/b/**'), { message: /write one for "a\/b\/\*\*" as well/ });
  t.throws(() => make('a/*', 'a/{sub}'), {
    message: '"a/*" and "a/{sub}" stand for the same channels: leave one out',
  });
  t.throws(() => make('no pattern'), { message: /^"no pattern": not a pattern of channels/ });
  t.equal(make('a/*', '*/b', 'a/b').find('a/b').pattern, 'a/b', 'a third decides');
  t.doesNotThrow(() => make('a/*', 'b/*', 'a/b/*', '*/*/*/d'));
});

const segment = fc.constantFrom('a', 'b', 'c', '*', '{sub}');
const anyPattern = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
  .map(([segments, open]) => [...segments, ...(open || segments.length === 0 ? ['**'] : [])].join('/'));
const anyChannel = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'));

t.test('rules / any table that is taken → what is found lies within all others that match', async (t) => {
  let taken = 0;
  const property = fc.property(fc.uniqueArray(anyPattern, { maxLength: 6 }), anyChannel, (texts, channel) => {
    const patterns = ['**', ...texts.filter((text) => text !== '**')];
    let rules: Rules;
    try {
      rules = new Rules(patterns.map((text) => ruleOf(text)));
    } catch {
      return;
    }
    taken++;
    const found = pattern(rules.find(channel).pattern);
    const matching = patterns.map(pattern).filter((each) => concerns(each, channel));
    if (!concerns(found, channel) || !matching.every((each) => contains(each, found)))
      throw new Error(found.text);
  });
  fc.assert(property, { numRuns: 3000 });
  t.ok(taken > 1000, `${taken} tables were taken`);
});

t.test('table / each caller → may what the line says that is named', async (t) => {
  const table = new PolicyTable([
    ruleOf('**', { isBuiltIn: true, authenticated: only() }),
    ruleOf('news', { anonymous: only('subscribe', 'history'), authenticated: only('publish') }),
    ruleOf('chat/*', { presence: false }),
    ruleOf('user/{sub}/**'),
  ]);
  const granted = user('ann', {
    'docs/**': ['subscribe'],
    'chat/lobby': ['publish'],
    'user/{sub}/x': ['history'],
    'docs/mine': ['manage'],
  });
  const cases: readonly (readonly [Caller, Action, string, boolean, RegExp])[] = [
    [NOBODY, 'subscribe', 'news', true, /^channels\["news"\]\.anonymous$/],
    [NOBODY, 'publish', 'news', false, /anonymous does not name it, and there is no token$/],
    [user('ann'), 'subscribe', 'news', true, /\["news"\]\.anonymous$/],
    [user('ann'), 'publish', 'news', true, /\["news"\]\.authenticated$/],
    [user('ann'), 'presence', 'news', false, /authenticated does not name it$/],
    [user('ann'), 'publish', 'chat/a', true, /\["chat\/\*"\]\.authenticated$/],
    [user('ann'), 'presence', 'chat/a', false, /presence is off$/],
    [user('ann'), 'publish', 'user/ann/a', true, /authenticated$/],
    [user('ann'), 'publish', 'user/bob/a', false, /is for another user$/],
    [NOBODY, 'subscribe', 'user/ann/a', false, /no token$/],
    [user('ann'), 'subscribe', 'else', false, /^channels\["\*\*"\] \(built in\)\.authenticated/],
    [granted, 'subscribe', 'docs/a/b', true, /^the token's claim channels\["docs\/\*\*"\]$/],
    [granted, 'publish', 'docs/a', false, /no line of the token's claim "channels"/],
    [granted, 'publish', 'chat/lobby', true, /claim channels\["chat\/lobby"\]/],
    [granted, 'publish', 'chat/other', false, /no line/],
    [granted, 'subscribe', 'news', true, /anonymous$/],
    [granted, 'history', 'user/ann/x', true, /claim channels\["user\/\{sub\}\/x"\]/],
    [granted, 'history', 'user/bob/x', false, /no line/],
    [NOBODY, 'manage', 'news', false, /anonymous does not name it/],
    [user('ann'), 'manage', 'news', false, /authenticated does not name it$/],
    [user('ann'), 'manage', 'chat/a', true, /\["chat\/\*"\]\.authenticated$/],
    [user('ann'), 'manage', 'user/bob/a', false, /is for another user$/],
    [granted, 'manage', 'docs/mine', true, /^the token's claim channels\["docs\/mine"\]$/],
    [granted, 'manage', 'docs/other', false, /no line/],
    [granted, 'manage', 'chat/lobby', false, /no line/],
  ];
  for (const [caller, action, channel, may, because] of cases) {
    const name = `${caller.name} ${action} ${channel}`;
    t.equal(table.may(caller, action, channel), may, name);
    t.match(table.explain(caller, action, channel), { may, because }, name);
  }
});

t.test(
  'grants / a claim that is no list of channels → unauthenticated, never a list that allows',
  async (t) => {
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`a/${at}`, ['subscribe']]));
    const bad = [
      null,
      'a',
      1,
      [],
      { 'a b': [] },
      { a: 'subscribe' },
      { a: ['delete'] },
      { a: [1] },
      { a: null },
      many,
    ];
    for (const claim of bad)
      t.throws(() => parseGrants(claim), { code: 'unauthenticated' }, JSON.stringify(claim)?.slice(0, 40));
    t.throws(() => parseGrants({ a: ['delete'] }), {
      message: /something else than subscribe, publish, history, presence, manage$/,
    });
    t.same(parseGrants({}), []);
    t.same([...(parseGrants({ a: [...ACTIONS] })[0]?.actions ?? [])], ACTIONS);
  },
);
