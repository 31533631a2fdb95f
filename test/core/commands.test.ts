import t from 'tap';
import { MAX_COMMANDS_A_TURN, MAX_PAGE_BYTES } from '../../src/core/limits.js';
import type { Action } from '../../src/core/policy/action.js';
import type { Caller } from '../../src/core/policy/policy.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { request } from '../../src/core/session/request.js';
import { Refused } from '../../src/protocol/refused.js';
import type { RigOptions } from '../support/core.js';
import { identityOf, memoryStore, NOTHING_HELD, promises, Rig } from '../support/core.js';
import { SlowStore } from '../support/fake-stores.js';
import { ruleOf } from '../support/policy.js';

/** A rig whose store can be held up. */
function slow(options: RigOptions = {}) {
  let store: SlowStore | undefined;
  const rig = new Rig({
    ...options,
    store: (parts) => {
      store = new SlowStore(memoryStore({ ...parts, ...options.retention }));
      return store;
    },
  });
  if (store === undefined) throw new Error('no store was asked for');
  return { rig, store };
}

/** A host whose verdicts wait until they are given. */
function heldVerdicts() {
  const waiting: {
    readonly action: Action;
    readonly channel: string;
    readonly say: (may: boolean) => void;
  }[] = [];
  const authorize = (_caller: Caller, action: Action, channel: string) =>
    new Promise<boolean>((say) => waiting.push({ action, channel, say }));
  return { authorize, waiting };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

t.test('subscribe / two at once to one channel → the second is a conflict', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  const [first, second] = [1, 2].map(() => ann.send({ type: 'subscribe', channel: 'a' }));
  await rig.settle();
  t.equal(ann.answer(first ?? 0).type, 'subscribed');
  t.match(ann.answer(second ?? 0), { type: 'error', code: 'conflict', advice: 'never' });
  await rig.append('a', 1);
  await rig.settle();
  t.same(ann.data(), [1], 'once');
  await ann.cut();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('unsubscribe / while the subscribe is in flight → takes its turn, and nothing is held', async (t) => {
  for (const call of ['watch', 'open', 'read'] as const) {
    const { rig, store } = slow();
    const ann = rig.peer();
    const letGo = store.hold(call);
    const subscribe = ann.send({ type: 'subscribe', channel: 'a' });
    const unsubscribe = ann.send({ type: 'unsubscribe', channel: 'a' });
    await rig.settle();
    t.equal(ann.answered(unsubscribe), false);
    letGo();
    await rig.settle();
    t.same([ann.answer(subscribe).type, ann.answer(unsubscribe).type], ['subscribed', 'unsubscribed'], call);
    await rig.append('a', 1);
    await ann.fence();
    t.same(ann.data(), []);
    t.match(rig.held(), { channels: 0, subscriptions: 0 });
  }
});

t.test('unsubscribe / live, catching up or not at all → in words, and silence after it', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  t.match(await ann.ask({ type: 'unsubscribe', channel: 'a' }), { code: 'not_found', advice: 'never' });
  await ann.subscribe('a');
  t.same(await ann.ask({ type: 'unsubscribe', channel: 'a' }), { type: 'unsubscribed', id: 3, channel: 'a' });
  await rig.append('a', ...range(1, 1500));
  ann.send({ type: 'subscribe', channel: 'a', offset: '-1' });
  const id = ann.send({ type: 'unsubscribe', channel: 'a' });
  while (!ann.answered(id)) await new Promise((resolve) => setImmediate(resolve));
  const before = ann.data().length;
  t.ok(before < 1500, `after ${before} of 1500`);
  await ann.fence();
  t.equal(ann.data().length, before);
});

t.test('session / ends while a subscribe is in flight → nothing is held', async (t) => {
  for (const call of ['watch', 'open', 'read'] as const) {
    const { rig, store } = slow();
    const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
    await bob.subscribe('b', undefined, true);
    const letGo = store.hold(call);
    ann.send({ type: 'subscribe', channel: 'a', presence: true });
    ann.send({ type: 'publish', channel: 'a', data: 1 });
    await rig.settle();
    await ann.cut();
    t.match(rig.held(), { sessions: 1, subscriptions: 1 }, call);
    letGo();
    await rig.settle();
    t.same(rig.node.presence.list('a'), { members: [], count: 0 });
    await bob.cut();
    t.same(rig.held(), NOTHING_HELD);
    t.same(rig.logged, []);
  }
});

t.test('session / ends while its policy thinks → what it wanted is not done', async (t) => {
  const { authorize, waiting } = heldVerdicts();
  const rig = new Rig({ authorize });
  const ann = rig.peer();
  ann.send({ type: 'subscribe', channel: 'a' });
  ann.send({ type: 'publish', channel: 'a', data: 1 });
  ann.send({ type: 'publish', channel: 'b', data: 1 });
  await rig.settle();
  await ann.cut();
  for (const { say } of waiting) say(true);
  await rig.settle();
  t.same(rig.held(), NOTHING_HELD);
  t.equal(waiting.length, 2, 'what had to wait for its turn was never asked about');
  t.equal((await rig.store.open('a')).seq, 0);
});

t.test('subscribe / the store fails → internal, nothing is held, the next attempt works', async (t) => {
  for (const call of ['watch', 'open', 'read'] as const) {
    const { rig, store } = slow();
    const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
    store.faults.set(call, new Error(`a bug in ${call}`));
    const ids = [ann, bob].map((peer) => peer.send({ type: 'subscribe', channel: 'a' }));
    await rig.settle();
    t.match(ann.answer(ids[0] ?? 0), {
      type: 'error',
      code: 'internal',
      advice: 'retry',
      message: 'the server failed',
    });
    t.match(bob.answer(ids[1] ?? 0), { code: 'internal' });
    t.match(rig.held(), { channels: 0, subscriptions: 0 });
    store.faults.clear();
    await ann.subscribe('a');
    await bob.publish('a', 1);
    t.same(ann.data(), [1]);
  }
});

t.test('internal / a store with a bug → told as `internal`, logged once, others are served', async (t) => {
  const { rig, store } = slow();
  const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
  await bob.subscribe('b');
  const bug = new Error('a bug in append');
  store.faults.set('append', bug);
  const reply = await ann.ask({ type: 'publish', channel: 'a', data: 1 });
  t.match(reply, { type: 'error', code: 'internal', message: 'the server failed', advice: 'retry' });
  t.notMatch(JSON.stringify(reply), 'a bug', 'what it was is ours to know');
  t.same(rig.logged, [{ error: bug, context: { session: ann.session.id, channel: 'a' } }]);
  store.faults.clear();
  await ann.publish('b', 2);
  t.same(bob.data(), [2], 'the session goes on, and so do others');
  t.same(rig.telemetry.commands.slice(-2), ['publish internal', 'publish ok']);
});

t.test(
  'internal / the log of a slow reader can not be read → unsubscribed in words, logged once',
  async (t) => {
    const { rig, store } = slow();
    const ann = rig.peer();
    await ann.subscribe('a');
    ann.carrier.fill();
    await rig.append('a', 1);
    await rig.settle();
    for (const fault of [new Error('a bug in read'), new Refused('gone', 'it was deleted')]) {
      store.faults.set('read', fault);
      ann.carrier.drain();
      await rig.settle();
      const code = fault instanceof Refused ? fault.code : 'internal';
      t.same(ann.got.at(-1), { type: 'unsubscribed', channel: 'a', code });
      t.match(rig.held(), { channels: 0, subscriptions: 0, sessions: 1 });
      store.faults.clear();
      await ann.subscribe('a');
      ann.carrier.fill();
      await rig.append('a', 1);
      await rig.settle();
    }
    t.match(rig.logged, [{ error: /a bug in read/, context: { session: 's1', channel: 'a' } }]);
    t.equal(rig.logged.length, 1, 'what a peer can be told is not logged');
  },
);

t.test(
  'unavailable / the store is away while a reader catches up → it waits, and gets all of it then',
  async (t) => {
    const { rig, store } = slow();
    const ann = rig.peer();
    await ann.subscribe('a');
    ann.carrier.fill();
    for (const data of [1, 2, 3]) await rig.append('a', data);
    await rig.settle();
    store.faults.set('read', new Refused('unavailable', 'it is away'));
    ann.carrier.drain();
    await rig.settle();
    for (let seconds = 0; seconds < 5; seconds++) await rig.pass(1000);
    t.match(rig.held(), { channels: 1, subscriptions: 1 }, 'the subscription stays');
    t.same(ann.data(), []);
    store.faults.clear();
    await rig.pass(1500);
    await rig.settle();
    t.same(ann.data(), [1, 2, 3]);
    t.same(rig.logged, []);
  },
);

t.test('policy / throws, rejects, or says something else than true → refused', async (t) => {
  const verdicts: (() => boolean | Promise<boolean>)[] = [
    () => {
      throw new Error('a bug in the policy');
    },
    () => Promise.reject(new Error('a bug in the policy')),
    () => Promise.resolve('yes' as unknown as boolean), // as a policy in JavaScript might
  ];
  let verdict = 0;
  const rig = new Rig({ authorize: () => verdicts[verdict]?.() ?? false });
  const ann = rig.peer();
  const ask = () => ann.ask({ type: 'publish', channel: 'a', data: 1 });
  t.match(await ask(), { code: 'internal' });
  verdict++;
  t.match(await ask(), { code: 'internal' });
  t.match(
    rig.logged.map(({ error }) => error),
    [/a bug in the policy/, /a bug in the policy/],
  );
  verdict++;
  t.match(await ask(), {
    code: 'forbidden',
    advice: 'never',
    message: 'you may not publish to this channel',
  });
  t.equal(rig.logged.length, 2);
  t.equal((await rig.store.open('a')).seq, 0);
});

t.test('policy / each command → is asked about, with who, what and where', async (t) => {
  const asked: unknown[] = [];
  const authorize = ({ user, name }: Caller, action: Action, channel: string) => {
    asked.push([user, name, action, channel]);
    return channel !== 'secret';
  };
  const rig = new Rig({ authorize });
  const ann = rig.peer('Ann', { user: 'u1' });
  await ann.subscribe('a', undefined, true);
  await ann.publish('a', 1);
  await ann.ask({ type: 'history', channel: 'a' });
  await ann.ask({ type: 'presence', channel: 'a' });
  const actions = ['subscribe', 'presence', 'publish', 'history', 'presence'];
  t.same(
    asked,
    actions.map((action) => ['u1', 'Ann', action, 'a']),
  );
  for (const type of ['subscribe', 'history', 'presence'] as const)
    t.match(await ann.ask({ type, channel: 'secret' }), { type: 'error', code: 'forbidden' }, type);
  t.equal(rig.node.hub.channels, 1);
});

t.test('policy / a rule for the authenticated → who has a user may', async (t) => {
  const rig = new Rig({ policy: new PolicyTable([ruleOf('**')]) });
  t.match(await rig.peer().ask({ type: 'publish', channel: 'a', data: 1 }), { code: 'forbidden' });
  await rig.peer('ann', { user: 'ann' }).publish('a', 1);
});

t.test('publish / many across a slow policy → stored in the order they were sent', async (t) => {
  const { authorize, waiting } = heldVerdicts();
  const rig = new Rig({ authorize });
  const ann = rig.peer();
  for (const each of range(1, 5)) ann.send({ type: 'publish', channel: 'a', data: each });
  ann.send({ type: 'publish', channel: 'b', data: 'elsewhere' });
  await rig.settle();
  t.same(
    waiting.map(({ channel }) => channel),
    ['a', 'b'],
    'of one channel one at a time, others beside',
  );
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    next.say(true);
    await rig.settle();
  }
  const { messages } = await rig.store.read('a', '-1', { messages: 10, bytes: 1e6 });
  t.same(
    messages.map(({ data }) => data),
    ['1', '2', '3', '4', '5'],
  );
});

t.test('publish / the answer of the store is slow → the next does not wait for it', async (t) => {
  const { rig, store } = slow();
  const ann = rig.peer();
  const letGo = store.hold('append');
  const ids = range(1, 5).map((each) => ann.send({ type: 'publish', channel: 'a', data: each }));
  await rig.settle();
  t.equal((await rig.store.open('a')).seq, 5, 'all were called for');
  t.same(
    ids.map((id) => ann.answered(id)),
    ids.map(() => false),
  );
  letGo();
  await rig.settle();
  const offsets = ids.map((id) => ann.answer(id)).map((reply) => ('offset' in reply ? reply.offset : ''));
  t.same([...offsets].sort(), offsets);
});

t.test('publish / data → reaches readers and history as the text that it was', async (t) => {
  const rig = new Rig();
  const ann = rig.peer('Ann "the" Ünique');
  await ann.subscribe('a');
  const text = '{ "b":1.50,\t"a":"\\u00e9",   "b":[ ] }';
  ann.raw(`{"channel":"a","d\\u0061ta" : ${text} ,"type":"publish","id":77}`);
  await rig.settle();
  t.equal(ann.answer(77).type, 'published');
  t.ok(ann.carrier.texts.at(-1)?.endsWith(`"data":${text}}`));
  await ann.ask({ type: 'history', channel: 'a' });
  t.ok(ann.carrier.texts.at(-1)?.includes(`"data":${text}}`));
  t.match(ann.of('message'), [{ from: 'Ann "the" Ünique', data: { a: 'é', b: [] } }]);
});

t.test('publish / numbered by a producer → once, over any session', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await ann.subscribe('a');
  const producer = { id: 'p', epoch: 0, seq: 0 };
  const publish = { type: 'publish', channel: 'a', data: 'x', producer } as const;
  const first = await ann.ask(publish);
  t.match(first, { type: 'published', duplicate: false });
  const second = await rig.peer('bob').ask(publish);
  t.match(second, { duplicate: true, offset: 'offset' in first ? first.offset : '' });
  t.match(await ann.ask({ ...publish, producer: { ...producer, seq: 2 } }), {
    code: 'out_of_sequence',
    advice: 'never',
  });
  await ann.ask({ ...publish, producer: { ...producer, epoch: 1 } });
  t.match(await ann.ask({ ...publish, producer: { ...producer, seq: 1 } }), {
    code: 'fenced',
    advice: 'never',
  });
  t.same(ann.data(), ['x', 'x']);
});

t.test('history / pages → join, and end up to date', async (t) => {
  const rig = new Rig({ limits: { historyPage: 4 } });
  const ann = rig.peer();
  await rig.append('a', ...range(1, 10));
  const found: unknown[] = [];
  let offset = '-1';
  for (let pages = 0; pages < 10; pages++) {
    const page = await ann.ask({ type: 'history', channel: 'a', offset, limit: pages === 0 ? 3 : 1000 });
    if (page.type !== 'history') throw new Error(`no history: ${JSON.stringify(page)}`);
    found.push(page.messages.map(({ data }) => data));
    t.equal(page.offset, page.messages.at(-1)?.offset, 'the next to ask for');
    t.equal(page.channel, 'a');
    offset = page.offset;
    if (page.upToDate) break;
  }
  t.same(found, [range(1, 3), range(4, 7), range(8, 10)], 'at most what is asked for and the limit');
  t.match(await ann.ask({ type: 'history', channel: 'a', offset: 'now' }), {
    messages: [],
    offset,
    upToDate: true,
  });
  t.match(await ann.ask({ type: 'history', channel: 'empty' }), { messages: [], upToDate: true });
});

t.test('history / from what is no longer kept → gone; from no offset → bad_offset', async (t) => {
  const rig = new Rig({ retention: { messages: 1 } });
  const ann = rig.peer();
  const [first = ''] = await rig.append('a', 1, 2, 3);
  t.match(await ann.ask({ type: 'history', channel: 'a', offset: first }), { code: 'gone', advice: 'never' });
  t.match(await ann.ask({ type: 'history', channel: 'a', offset: '0' }), { code: 'bad_offset' });
  t.match(await ann.ask({ type: 'history', channel: 'a' }), { messages: [{ data: 3 }] });
});

t.test('ping / with and without an id → pong', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  t.same(await ann.ask({ type: 'ping' }), { type: 'pong', id: 1 });
  ann.raw('{"type":"ping"}');
  await rig.settle();
  t.same(ann.got.at(-1), { type: 'pong' });
});

t.test('telemetry / commands → type, outcome and how long they took', async (t) => {
  const { rig, store } = slow();
  const ann = rig.peer();
  const letGo = store.hold('append');
  ann.send({ type: 'publish', channel: 'a', data: 1 });
  rig.pass(250);
  letGo();
  await rig.settle();
  await ann.ask({ type: 'unsubscribe', channel: 'a' });
  t.same(rig.telemetry.commands, ['publish ok', 'unsubscribe not_found']);
  t.same(rig.telemetry.seconds, [0.25, 0]);
  t.equal(rig.telemetry.in, 1);
});

t.test('in flight / more than 16 commands → the carrier is paused until some are done', async (t) => {
  const { rig, store } = slow();
  const ann = rig.peer();
  const letGo = store.hold('read');
  const ids = range(1, 40).map((each) => ann.send({ type: 'subscribe', channel: `c${each}` }));
  await rig.settle();
  t.equal(store.reads, 16, 'at once');
  t.same(ann.carrier.pauses, [true], 'asked once');
  letGo();
  await rig.settle();
  t.equal(store.reads, 40, 'what had arrived was kept, and done');
  for (const id of ids) t.equal(ann.answer(id).type, 'subscribed');
  t.equal(ann.carrier.paused, false);
});

t.test(
  'long answers / many asked for by a reader that does not read → one at a time, each when there is room',
  async (t) => {
    const rig = new Rig({ limits: { maxQueuedBytes: 100_000 } });
    const ann = rig.peer();
    for (const _ of range(1, 10)) await rig.append('a', 'x'.repeat(20_000));
    ann.carrier.stall();
    const ids = range(1, 100).map((each) =>
      ann.send(each % 2 ? { type: 'history', channel: 'a' } : { type: 'presence', channel: 'a' }),
    );
    await rig.settle();
    t.ok(
      ann.carrier.mostQueuedBytes < 100_000 + MAX_PAGE_BYTES + 20_000,
      `${ann.carrier.mostQueuedBytes} bytes`,
    );
    for (let rounds = 0; rounds < 100; rounds++) {
      ann.carrier.drain();
      ann.carrier.stall();
      await rig.settle();
    }
    ann.carrier.drain();
    for (const id of ids) t.ok(ann.answered(id));
  },
);

t.test('no room / a reader that does not read its answers → is asked nothing more', async (t) => {
  const rig = new Rig({ limits: { maxQueuedBytes: 5000 } });
  const ann = rig.peer();
  ann.carrier.stall();
  const ids = range(1, 150).map(() => ann.send({ type: 'ping' }));
  for (const each of range(1, 20))
    ids.push(ann.send({ type: 'publish', channel: 'a', data: 'x'.repeat(each) }));
  await rig.settle();
  t.equal(ann.carrier.paused, true);
  t.ok(ann.carrier.mostQueuedBytes < 5000 + 16 * 100, `${ann.carrier.mostQueuedBytes} bytes`);
  for (let rounds = 0; rounds < 10; rounds++) {
    ann.carrier.drain();
    ann.carrier.stall();
    await rig.settle();
  }
  ann.carrier.drain();
  for (const id of ids) t.equal(ann.answered(id), true);
  t.equal(ann.carrier.paused, false);
});

t.test(
  'fairness / one session sends without end → another is answered in the same turn, and its own keep their order',
  async (t) => {
    const rig = new Rig({ limits: { commandsPerSecond: 1e6, commandBurst: 1e6 } });
    const [flooder, quiet] = [rig.peer('flooder'), rig.peer('quiet')];
    const ids = range(1, 1000).map((data) => flooder.send({ type: 'publish', channel: 'a', data }));
    await promises();
    const stored = async () => (await rig.store.open('a')).seq;
    t.equal(await stored(), MAX_COMMANDS_A_TURN);
    t.equal(flooder.carrier.paused, true);
    const own = quiet.send({ type: 'publish', channel: 'a', data: 'quiet' });
    await promises();
    t.equal(quiet.answered(own), true, 'no turn has to end for it');
    rig.turn();
    await promises();
    t.equal(await stored(), 2 * MAX_COMMANDS_A_TURN + 1);
    await rig.settle();
    t.equal(flooder.carrier.paused, false);
    for (const id of ids) t.equal(flooder.answered(id), true);
    const { messages } = await rig.store.read('a', '-1', { messages: 2000, bytes: 1e9 });
    const data = messages.map((message) => message.data);
    t.equal(data.indexOf('"quiet"'), MAX_COMMANDS_A_TURN);
    t.same(
      data.filter((each) => each !== '"quiet"'),
      range(1, 1000).map(String),
    );
  },
);

t.test('requests / a command without a session → its one answer', async (t) => {
  const rig = new Rig({ limits: { maxFrameBytes: 500 } });
  const run = async (text: string) =>
    JSON.parse(await request(rig.node, 'r1', identityOf('ann'), 'user ann', text));
  const reader = rig.peer('reader');
  await reader.subscribe('a');
  t.match(await run('{"type":"publish","id":3,"channel":"a","data":{"x":1}}'), { type: 'published', id: 3 });
  t.match(reader.of('message'), []);
  await rig.settle();
  t.match(reader.of('message'), [{ from: 'ann', data: { x: 1 } }]);
  t.match(await run('{"type":"history","id":4,"channel":"a"}'), {
    type: 'history',
    messages: [{ data: { x: 1 } }],
  });
  t.match(await run('{"type":"presence","id":5,"channel":"a"}'), { type: 'presence', count: 1 });
  for (const type of ['subscribe', 'unsubscribe'])
    t.match(await run(`{"type":"${type}","id":6,"channel":"a"}`), {
      type: 'error',
      id: 6,
      code: 'bad_envelope',
    });
  t.match(await run('{"type":"ping","id":7}'), { type: 'error', id: 7, code: 'bad_envelope' });
  t.match(await run('{"type":"shout","id":8}'), {
    type: 'error',
    id: 8,
    code: 'bad_envelope',
    details: [/^type: /],
  });
  t.match(await run('nonsense'), { type: 'error', code: 'bad_envelope', advice: 'never' });
  t.match(await run(`"${'x'.repeat(500)}"`), { type: 'error', code: 'too_large' });
  t.equal(rig.telemetry.in, 1);
});

t.test('requests / above the rate of their caller → rate_limited, and others are not', async (t) => {
  const rig = new Rig({ limits: { commandsPerSecond: 10, commandBurst: 5 } });
  const code = async (caller: string) => {
    const text = '{"type":"presence","id":1,"channel":"a"}';
    return JSON.parse(await request(rig.node, 'r1', identityOf('ann'), caller, text)).code;
  };
  for (const _ of range(1, 5)) t.equal(await code('user ann'), undefined);
  t.equal(await code('user ann'), 'rate_limited');
  t.equal(await code('user bob'), undefined);
  rig.pass(100);
  t.equal(await code('user ann'), undefined, 'a while later there is one more');
});

t.test('requests / a store with a bug → internal, logged once', async (t) => {
  const { rig, store } = slow();
  store.faults.set('read', new Error('a bug in read'));
  const text = '{"type":"history","id":1,"channel":"a"}';
  const answer = await request(rig.node, 'r9', identityOf('ann'), 'user ann', text);
  t.match(JSON.parse(answer), { type: 'error', id: 1, code: 'internal' });
  t.match(rig.logged, [{ error: /a bug in read/, context: { request: 'r9', channel: 'a' } }]);
});
