import t from 'tap';
import type { Action } from '../../src/core/policy/action.js';
import { ACTIONS } from '../../src/core/policy/action.js';
import { parseGrants } from '../../src/core/policy/grants.js';
import type { Caller } from '../../src/core/policy/policy.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { OptionsError, resolveOptions } from '../../src/server/options/options.js';
import { policyFrom } from '../../src/server/policy/policy.js';

const NOBODY: Caller = { user: null, name: 'guest', claims: undefined };
const ANN: Caller = { user: 'ann', name: 'ann', claims: {} };
const GRANTED: Caller = { ...ANN, grants: parseGrants({ 'chat/*': ['manage'] }) };

const USUAL: readonly Action[] = ['subscribe', 'publish', 'history', 'presence'];
const token = { secret: 'thirty-two bytes at the very least' };

const policyOf = (options: EarshotOptions) => policyFrom(resolveOptions(options));

/** What a caller may do on a channel, of all that there is. */
function mayOn(options: EarshotOptions, caller: Caller, channel = 'chat/a'): readonly Action[] {
  const policy = policyOf(options);
  return ACTIONS.filter((action) => policy.may(caller, action, channel));
}

t.test('development / nobody has written a rule → anybody may do everything, manage too', async (t) => {
  for (const caller of [NOBODY, ANN, GRANTED]) t.same(mayOn({ dev: true }, caller), ACTIONS);
  const channels = { 'news/*': {} };
  t.same(mayOn({ dev: true, channels }, NOBODY), ACTIONS, 'and so where the table says nothing');
});

t.test('development / a rule is written → it holds, and gives no manage by itself', async (t) => {
  const options = { dev: true, channels: { 'chat/*': {} } };
  t.same(mayOn(options, NOBODY), []);
  t.same(mayOn(options, ANN), USUAL);
});

t.test('no table / who has a token → the four actions, and manage where the token says so', async (t) => {
  t.same(mayOn({ token }, ANN), USUAL);
  t.same(mayOn({ token }, NOBODY), []);
  t.same(mayOn({ token }, GRANTED), ['manage']);
});

t.test('table / manage → for whom it is written down', async (t) => {
  const may = (rule: object, caller: Caller) => mayOn({ token, channels: { 'chat/*': rule } }, caller);
  t.same(may({}, ANN), USUAL, 'by default for none');
  t.same(may({}, GRANTED), ['manage']);
  t.same(may({ authenticated: [...USUAL, 'manage'] }, ANN), ACTIONS);
  t.same(may({ authenticated: ['manage'] }, NOBODY), []);
  t.same(may({ anonymous: ['manage'], authenticated: [] }, NOBODY), ['manage']);
  t.same(
    mayOn({ token, channels: { 'chat/*': {} } }, ANN, 'else'),
    [],
    'what the table leaves out is not given',
  );
});

t.test('create / said, left out, misspelt → as said, command, an OptionsError that names it', async (t) => {
  const createOf = (channels: EarshotOptions['channels'], channel = 'a') =>
    policyOf({ token, channels }).rule(channel).create;
  for (const create of ['command', 'publish', 'server'] as const)
    t.equal(createOf({ a: { create } }), create);
  t.equal(createOf({ a: {} }), 'command');
  t.equal(createOf({ a: {} }, 'else'), 'command', 'built in');
  t.equal(policyOf({ dev: true }).rule('a').create, 'command');
  const misspelt = { token, channels: { a: { create: 'put' } } } as unknown as EarshotOptions; // as a file may say
  t.throws(() => policyOf(misspelt), OptionsError);
  t.throws(() => policyOf(misspelt), { message: /^channels\.a\.create: / });
});

t.test('retention / what the rule itself says → apart from what the option fills in', async (t) => {
  const retention = { messages: 7, ageMs: 1000, bytes: 2000 };
  const policy = policyOf({
    token,
    retention,
    channels: { some: { retention: { messages: 3 } }, none: {}, all: { retention } },
  });
  t.match(policy.rule('some'), { retention: { ...retention, messages: 3 } });
  t.strictSame(policy.rule('some').ownRetention, { messages: 3 });
  t.strictSame(policy.rule('none').retention, retention);
  t.strictSame(policy.rule('none').ownRetention, {});
  t.strictSame(policy.rule('all').ownRetention, retention);
  t.strictSame(policy.rule('else').retention, retention);
  t.strictSame(policy.rule('else').ownRetention, {}, 'built in');
});

t.test('retention / nothing is kept, by a 0 of the rule → is said, not left out', async (t) => {
  const channels = { a: { retention: { messages: 0 } } };
  t.strictSame(policyOf({ token, channels }).rule('a').ownRetention, { messages: 0 });
});
