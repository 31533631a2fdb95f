import t from 'tap';
import { authorize } from '../../src/core/commands/authorize.js';
import type { AuthorizeEvent, PublishEvent } from '../../src/core/hooks.js';
import { ACTIONS, DEFAULT_ACTIONS } from '../../src/core/policy/action.js';
import { parseGrants } from '../../src/core/policy/grants.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { Refused } from '../../src/protocol/refused.js';
import { identityOf, NOTHING_HELD, Rig } from '../support/core.js';
import { ruleOf } from '../support/policy.js';

const ANN = { user: 'ann' };
const tableOf = (...rules: Parameters<typeof ruleOf>[]) =>
  new PolicyTable([...rules.map((rule) => ruleOf(...rule)), ruleOf('**')]);

t.test('schema / data that breaks it → bad_data with each path, and nothing is stored', async (t) => {
  const validate = (data: unknown) => (data === 1 ? [] : ['data.text: required', 'data.size: too small']);
  const rig = new Rig({ policy: tableOf(['a', { validate }]) });
  const ann = rig.peer('ann', ANN);
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: {} }), {
    type: 'error',
    code: 'bad_data',
    advice: 'never',
    message: 'data.text: required',
    details: ['data.text: required', 'data.size: too small'],
  });
  t.equal((await rig.store.open('a')).seq, 0);
  await ann.publish('a', 1);
  await ann.publish('b', {});
  t.same(rig.refused, ['publish: bad_data']);
});

t.test('message size / data of more bytes than its channel takes → too_large', async (t) => {
  const rig = new Rig({ policy: tableOf(['a', { maxMessageBytes: 10 }]) });
  const ann = rig.peer('ann', ANN);
  await ann.publish('a', '12345678');
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: '123456789' }), { code: 'too_large' });
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: 'ääää9' }), { code: 'too_large' }, 'as UTF-8');
  await ann.publish('b', '123456789');
  t.same(rig.telemetry.limits, ['size of channel', 'size of channel']);
});

t.test(
  'rate of a channel / more than it takes of one user → rate_limited, for that user and channel',
  async (t) => {
    const rig = new Rig({
      policy: tableOf(['a', { publishesPerSecond: 2 }], ['b', { publishesPerSecond: 2 }]),
    });
    const [ann, again, bob] = [rig.peer('ann', ANN), rig.peer('ann', ANN), rig.peer('bob', { user: 'bob' })];
    for (const peer of [ann, again, ann, again]) await peer.publish('a', 1);
    t.match(await ann.ask({ type: 'publish', channel: 'a', data: 1 }), {
      code: 'rate_limited',
      advice: 'retry',
    });
    await ann.publish('b', 1);
    await bob.publish('a', 1);
    rig.pass(500);
    await ann.publish('a', 1);
    t.match(await again.ask({ type: 'publish', channel: 'a', data: 1 }), { code: 'rate_limited' });
    t.same(rig.telemetry.limits, ['publishes of channel', 'publishes of channel']);
  },
);

for (const create of ['command', 'publish'] as const) {
  t.test(`create / ${create} → a publish command makes the channel`, async (t) => {
    const rig = new Rig({ policy: tableOf(['a', { create }]) });
    await rig.peer('ann', ANN).publish('a', 1);
    t.equal((await rig.store.open('a')).seq, 1);
  });
}

t.test('create / server: who may manage publishes → makes none by that either', async (t) => {
  const rig = new Rig({ policy: tableOf(['a', { create: 'server', authenticated: new Set(ACTIONS) }]) });
  t.match(await rig.peer('ann', ANN).ask({ type: 'publish', channel: 'a', data: 1 }), { code: 'not_found' });
});

t.test('manage / who may not → forbidden in words, and no other action stands for it', async (t) => {
  const asked: unknown[] = [];
  const actor = { caller: identityOf('ann', ANN), session: undefined, address: '192.0.2.1' };
  const policy = tableOf(
    ['a', { authenticated: new Set(DEFAULT_ACTIONS) }],
    ['b', { authenticated: new Set(['manage']) }],
  );
  t.throws(() => authorize({ policy, hooks: {} }, actor, 'manage', 'a'), {
    code: 'forbidden',
    message: 'you may not make, close or delete this channel',
  });
  t.equal(authorize({ policy, hooks: {} }, actor, 'manage', 'b'), undefined, 'there is nobody to wait for');
  t.throws(() => authorize({ policy, hooks: {} }, actor, 'publish', 'b'), { code: 'forbidden' });
  const hooks = { authorize: async (event: AuthorizeEvent) => asked.push(event) > 1 };
  await t.rejects(async () => authorize({ policy, hooks }, actor, 'manage', 'b'), { code: 'forbidden' });
  await t.resolves(
    async () => authorize({ policy, hooks }, actor, 'manage', 'a'),
    'the hook has the last word',
  );
  t.match(asked, [
    { ...actor, action: 'manage', channel: 'b' },
    { action: 'manage', channel: 'a' },
  ]);
});

t.test('create / only the server makes channels → not_found until it has, then as any other', async (t) => {
  const rig = new Rig({ policy: tableOf(['a', { create: 'server' }]) });
  const ann = rig.peer('ann', ANN);
  const { offset } = await ann.subscribe('a');
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: 1 }), { code: 'not_found', advice: 'never' });
  await rig.store.create('a');
  await ann.publish('a', 2);
  t.same(ann.data('a'), [2], 'who had subscribed before hears it');
  t.ok((ann.of('message')[0]?.offset ?? '') > offset);
});

t.test('presence / off → nobody is named, to the server neither; on elsewhere', async (t) => {
  const rig = new Rig({ policy: tableOf(['a', { presence: false }]) });
  const ann = rig.peer('ann', ANN);
  await ann.subscribe('a');
  await ann.subscribe('b', undefined, true);
  t.match(await ann.ask({ type: 'presence', channel: 'a' }), { code: 'forbidden' });
  t.same(rig.node.presence.list('a'), { members: [], count: 0 });
  t.equal(rig.node.presence.list('b').count, 1);
  await ann.cut();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('onPublish / says nothing, changes, annotates → what is stored', async (t) => {
  const heard: PublishEvent[] = [];
  const answers = [undefined, { data: { n: 2 } }, { from: 'the server' }, { meta: { ip: 'x' } }];
  const rig = new Rig({
    hooks: {
      onPublish: async (event) => {
        heard.push(event);
        return answers[heard.length - 1];
      },
    },
  });
  const ann = rig.peer('ann', ANN);
  await ann.subscribe('a');
  for (const n of [1, 1, 3, 4]) await ann.publish('a', { n });
  t.match(
    ann.of('message').map(({ data, from, meta }) => ({ data, from, meta })),
    [
      { data: { n: 1 }, from: 'ann', meta: undefined },
      { data: { n: 2 }, from: 'ann', meta: undefined },
      { data: { n: 3 }, from: 'the server', meta: undefined },
      { data: { n: 4 }, from: 'ann', meta: { ip: 'x' } },
    ],
  );
  t.match(heard[0], { caller: ANN, session: 's1', address: '192.0.2.1', channel: 'a', data: { n: 1 } });
  t.match(await ann.ask({ type: 'history', channel: 'a' }), {
    messages: [{}, {}, {}, { meta: { ip: 'x' } }],
  });
});

t.test('hooks / one refuses → its code, nothing is done, and it is told by its cause', async (t) => {
  const refuse = async () => {
    throw new Refused('conflict', 'not today');
  };
  const rig = new Rig({ hooks: { onPublish: refuse, onSubscribe: refuse } });
  const ann = rig.peer('ann', ANN);
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: 1 }), {
    code: 'conflict',
    message: 'not today',
  });
  t.match(await ann.ask({ type: 'subscribe', channel: 'a' }), { code: 'conflict', message: 'not today' });
  t.equal((await rig.store.open('a')).seq, 0);
  t.same(rig.refused, ['publish: conflict', 'subscribe: conflict']);
  t.same(rig.logged, []);
  const plain = await rig.plain('a');
  t.match(plain.carrier.closedWith, { code: 4403, reason: 'conflict' });
});

t.test('onSubscribe / the session ends while it thinks → nothing is held', async (t) => {
  let letGo = () => {};
  const onSubscribe = () => new Promise<void>((resolve) => (letGo = resolve));
  const rig = new Rig({ hooks: { onSubscribe } });
  const ann = rig.peer('ann', ANN);
  ann.send({ type: 'subscribe', channel: 'a' });
  await rig.settle();
  await ann.cut();
  letGo();
  await rig.settle();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('onDisconnect / however a session ends → told once, with the cause', async (t) => {
  const told: unknown[] = [];
  const rig = new Rig({ hooks: { onDisconnect: ({ session, cause }) => told.push([session, cause]) } });
  const [ann, bob, cat] = [rig.peer('ann'), rig.peer('bob'), rig.peer('cat', { expiresAt: rig.now + 1000 })];
  await ann.cut();
  await ann.cut();
  bob.session.end({ close: 'drain', code: 'draining', cause: 'drain' });
  await bob.cut();
  rig.seconds(1);
  await cat.cut();
  t.same(told, [
    ['s1', 'closed'],
    ['s2', 'drain'],
    ['s3', 'expired'],
  ]);
});

t.test(
  'authenticate / a token that allows less → subscriptions that it does not allow end in words',
  async (t) => {
    const identity = (channels: object) => identityOf('ann', { ...ANN, grants: parseGrants(channels) });
    const rig = new Rig({
      policy: tableOf(),
      tokens: {
        less: identity({ a: ['subscribe'], b: ['subscribe'] }),
        more: identity({ '**': ['subscribe', 'presence'] }),
      },
    });
    const ann = rig.peer('ann', ANN);
    await ann.subscribe('a');
    await ann.subscribe('b', undefined, true);
    await ann.subscribe('c');
    t.match(await ann.ask({ type: 'authenticate', token: 'less' }), { type: 'authenticated', user: 'ann' });
    await rig.settle();
    t.match(
      ann.of('unsubscribed').map((push) => [push.channel, 'code' in push && push.code]),
      [
        ['b', 'forbidden'],
        ['c', 'forbidden'],
      ],
    );
    t.same([...ann.session.subscriptions.keys()], ['a']);
    await ann.ask({ type: 'authenticate', token: 'more' });
    await ann.subscribe('c');
    await ann.cut();
    t.same(rig.held(), NOTHING_HELD);
  },
);

t.test(
  'shared limits / the sessions of a user together → too_many, rate_limited; others are not touched',
  async (t) => {
    const perUser = { maxSubscriptions: 2, publishesPerSecond: 1, commandsPerSecond: 100 };
    const rig = new Rig({ limits: { perUser } });
    const [ann, again, bob] = [rig.peer('ann', ANN), rig.peer('ann', ANN), rig.peer('bob', { user: 'bob' })];
    await ann.subscribe('a');
    await again.subscribe('a');
    t.match(await again.ask({ type: 'subscribe', channel: 'b' }), {
      code: 'too_many',
      message: 'there are too many subscriptions of this user',
    });
    await bob.subscribe('b');
    await ann.ask({ type: 'unsubscribe', channel: 'a' });
    await again.subscribe('b');
    await ann.publish('x', 1);
    await again.publish('x', 1);
    t.match(await ann.ask({ type: 'publish', channel: 'x', data: 1 }), {
      code: 'rate_limited',
      advice: 'retry',
      message: 'too many publishes of this user: wait and send this one again',
    });
    await bob.publish('x', 1);
    t.same(rig.telemetry.limits, ['subscriptions of user', 'publishes of user']);
    for (const peer of [ann, again, bob]) await peer.cut();
    t.same(rig.held(), NOTHING_HELD);
  },
);

t.test('bytes / more of them than a session may send → rate_limited', async (t) => {
  const rig = new Rig({ limits: { bytesPerSecond: 100 } });
  const ann = rig.peer('ann', ANN);
  await ann.publish('a', 'x'.repeat(100));
  t.match(await ann.ask({ type: 'publish', channel: 'a', data: 'x'.repeat(100) }), { code: 'rate_limited' });
  rig.pass(2000);
  await ann.publish('a', 'x'.repeat(100));
  t.same(rig.telemetry.limits, ['bytes of session']);
});
