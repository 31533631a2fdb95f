import t from 'tap';
import { Deadlines } from '../../src/core/session/deadlines.js';
import type { Visit } from '../../src/core/session/session.js';
import type { Wish } from '../../src/core/streams/follow.js';
import { followMany, followOne } from '../../src/core/streams/follow.js';
import { parseOffset } from '../../src/protocol/offset.js';
import { NOW } from '../../src/protocol/version.js';
import { jsonEncoding } from '../../src/transport/websocket/encodings.js';
import { identityOf, memoryStore, Rig } from '../support/core.js';
import { FakeCarrier } from '../support/fake-carrier.js';
import { SlowStore } from '../support/fake-stores.js';

/** A response: it is there for what it begins with, and nothing comes back to a ping. */
function response(rig: Rig, visit?: Visit, encoding = jsonEncoding) {
  const carrier = new FakeCarrier(encoding);
  carrier.endsWithSubscriptions = true;
  carrier.answersPings = false;
  const session = rig.node.begin(identityOf('ann'), carrier, '192.0.2.1', visit);
  carrier.onDrain = () => session.drained();
  return { carrier, session };
}

t.test('follow / one channel with messages → handed over, then settled; then what comes', async (t) => {
  const rig = new Rig();
  await rig.append('a', 1, 2);
  const { carrier, session } = response(rig);
  const found: string[] = [];
  const subscription = await followOne(rig.node, session, { channel: 'a', start: '-1' }, (stat) =>
    found.push(stat.contentType),
  );
  t.same(found, ['application/json']);
  t.match(carrier.envelopes, [{ data: 1 }, { data: 2 }]);
  t.equal(carrier.settledTimes, 1);
  t.equal(subscription?.state, 'live');
  await rig.append('a', 3);
  await rig.settle();
  t.match(carrier.envelopes.at(-1), { data: 3 });
  t.equal(subscription?.offset, (await rig.store.read('a', NOW, { messages: 1, bytes: 1 })).offset);
});

t.test('follow / a channel that is not there → not_found, and it gets no identity', async (t) => {
  const rig = new Rig();
  const { session } = response(rig);
  const following = followOne(rig.node, session, { channel: 'a', start: NOW }, () =>
    t.fail('nothing is found'),
  );
  await t.rejects(following, { code: 'not_found' });
  t.same(await rig.store.list('', 10), []);
  t.equal(session.subscriptions.size, 0);
});

t.test('follow / a position that is no longer kept → one gap first, then what is kept', async (t) => {
  const rig = new Rig({ retention: { messages: 1 } });
  const [first = ''] = await rig.append('a', 1, 2, 3);
  const { carrier, session } = response(rig);
  await followOne(rig.node, session, { channel: 'a', start: parseOffset(first) }, () => {});
  t.match(carrier.envelopes, [{ type: 'gap', reason: 'retention' }, { data: 3 }]);
});

t.test('follow / a gap, and a carrier that has no words for it → the session ends with gone', async (t) => {
  const rig = new Rig({ retention: { messages: 1 } });
  const [first = ''] = await rig.append('a', 1, 2, 3);
  const { carrier, session } = response(rig, undefined, { ...jsonEncoding, push: () => undefined });
  await followOne(rig.node, session, { channel: 'a', start: parseOffset(first) }, () => {});
  t.same(carrier.closedWith, { code: 1000, reason: 'gone' });
  t.same(carrier.envelopes, [], 'nothing of what is kept is told: there would be a hole before it');
  t.equal(rig.node.sessions.size, 0);
});

t.test(
  'follow / the channel is closed, or deleted → the session ends, and its carrier knows why',
  async (t) => {
    const rig = new Rig();
    await rig.append('a', 1);
    await rig.append('b', 1);
    const [one, other] = [response(rig), response(rig)];
    await followOne(rig.node, one.session, { channel: 'a', start: NOW }, () => {});
    await followOne(rig.node, other.session, { channel: 'b', start: NOW }, () => {});
    await rig.store.close('a');
    await rig.store.delete('b');
    await rig.settle();
    t.same(
      [one, other].map(({ carrier }) => carrier.closedWith?.reason),
      ['done', 'gone'],
    );
    t.match(one.carrier.envelopes, [{ type: 'closed' }]);
    t.equal(rig.node.hub.channels, 0, 'nothing is held any more');
  },
);

t.test('follow / several channels → settled once all are, and only then', async (t) => {
  const rig = new Rig();
  await rig.append('a', 1);
  const { carrier, session } = response(rig);
  const entered: string[] = [];
  const wishes: Wish[] = [
    { channel: 'a', start: '-1' },
    { channel: 'b', start: NOW },
    { channel: 'c', start: NOW },
  ];
  let settledBefore = -1;
  await followMany(rig.node, session, wishes, false, (channel) => {
    entered.push(channel);
    settledBefore = carrier.settledTimes;
  });
  t.same([entered, settledBefore], [['b', 'c'], 0]);
  t.equal(carrier.settledTimes, 1);
  t.match(carrier.envelopes, [{ channel: 'a', data: 1 }]);
});

t.test('follow / the carrier drains before it begins → nothing is read yet, no gap later', async (t) => {
  let store: SlowStore | undefined;
  const rig = new Rig({ store: (parts) => (store = new SlowStore(memoryStore(parts))) });
  const { carrier, session } = response(rig);
  let letGo = () => {};
  await followMany(rig.node, session, [{ channel: 'a', start: NOW }], false, () => {
    letGo = store?.hold('read') ?? letGo;
    carrier.drain();
  });
  await rig.append('a', 1);
  await rig.settle();
  carrier.fill();
  await rig.append('a', 2);
  await rig.settle();
  letGo();
  carrier.drain();
  await rig.settle();
  t.match(carrier.envelopes, [{ data: 1 }, { data: 2 }]);
  t.equal(carrier.envelopes.length, 2);
});

t.test('follow / one of several may not be → nothing is kept of the others', async (t) => {
  const rig = new Rig({ authorize: (_caller, _action, channel) => channel !== 'secret' });
  const { session } = response(rig);
  const wishes = ['a', 'secret'].map((channel): Wish => ({ channel, start: NOW }));
  await t.rejects(
    followMany(rig.node, session, wishes, false, () => {}),
    { code: 'forbidden' },
  );
  session.gone('closed');
  t.equal(rig.node.hub.channels, 0);
});

t.test('follow / all of several are closed already → the session ends by itself', async (t) => {
  const rig = new Rig();
  for (const channel of ['a', 'b']) {
    await rig.append(channel, 1);
    await rig.store.close(channel);
  }
  const { carrier, session } = response(rig);
  const wishes = ['a', 'b'].map((channel): Wish => ({ channel, start: '-1' }));
  await followMany(rig.node, session, wishes, false, () => {});
  t.match(carrier.envelopes, [{ data: 1 }, { type: 'closed' }, { data: 1 }, { type: 'closed' }]);
  t.equal(carrier.closedWith?.reason, 'done');
});

t.test('a response that is not read / much comes → bounded, and served from the log later', async (t) => {
  const rig = new Rig({ limits: { maxQueuedBytes: 4096 } });
  await rig.append('a', 0);
  const { carrier, session } = response(rig);
  await followOne(rig.node, session, { channel: 'a', start: NOW }, () => {});
  carrier.stall();
  for (let each = 1; each <= 200; each++) {
    await rig.append('a', `${each} ${'x'.repeat(1000)}`);
    await rig.settle();
  }
  t.ok(carrier.mostQueuedBytes < 4096 + 2000, `${carrier.mostQueuedBytes} bytes at most`);
  for (let times = 0; times < 300 && carrier.queuedBytes > 0; times++) {
    carrier.drain();
    await rig.settle();
  }
  const seen = carrier.envelopes.flatMap((each) =>
    each.type === 'message' ? [Number.parseInt(String(each.data), 10)] : [],
  );
  t.same(
    seen,
    Array.from({ length: 200 }, (_, at) => at + 1),
  );
});

t.test('silence / of a response → a heartbeat, and never taken for dead', async (t) => {
  const rig = new Rig();
  await rig.append('a', 1);
  const { carrier, session } = response(rig);
  await followOne(rig.node, session, { channel: 'a', start: NOW }, () => {});
  rig.seconds(600);
  t.ok(carrier.pings >= 10, `${carrier.pings} pings`);
  t.equal(session.ended, false);
});

t.test('silence / of a response that the peer never takes → ended after the stall', async (t) => {
  const rig = new Rig();
  await rig.append('a', 1);
  const { carrier, session } = response(rig);
  await followOne(rig.node, session, { channel: 'a', start: NOW }, () => {});
  carrier.stall();
  await rig.append('a', 2);
  await rig.settle();
  rig.seconds(600);
  t.same([session.ended, carrier.terminated], [true, true]);
});

t.test(
  'time / is up → the carrier is told, and the subscriptions end; the session lasts until its carrier is gone',
  async (t) => {
    const rig = new Rig();
    await rig.append('a', 1);
    const { carrier, session } = response(rig);
    await followOne(rig.node, session, { channel: 'a', start: NOW }, () => {});
    session.lasts(1000);
    t.equal(rig.alarms.length, 1);
    rig.pass(999);
    rig.node.wake();
    t.equal(carrier.timesUp, 0);
    rig.pass(51);
    rig.node.wake();
    t.equal(carrier.timesUp, 1);
    t.same([session.subscriptions.size, rig.node.hub.channels, rig.node.sessions.size], [0, 0, 1]);
    session.gone('closed');
    t.equal(rig.node.sessions.size, 0);
  },
);

t.test(
  'deadlines / many, some taken back → each comes once, in its time; one alarm for the earliest',
  async (t) => {
    const alarms: number[] = [];
    const deadlines = new Deadlines<number>((atMs) => alarms.push(atMs));
    const takeBack = [500, 70, 120, 121, 90_000].map((atMs) => deadlines.add(atMs, atMs));
    takeBack[2]?.();
    takeBack[2]?.();
    t.same(alarms, [500, 100, 150, 150, 90_000]);
    t.same(deadlines.due(99), []);
    t.same(deadlines.due(100), [70]);
    t.equal(alarms.at(-1), 150, 'the next is asked for');
    t.same(deadlines.due(600).sort(), [121, 500]);
    t.same(deadlines.due(1e9), [90_000]);
    const asked = alarms.length;
    t.same(deadlines.due(2e9), []);
    t.equal(alarms.length, asked, 'nobody waits: no alarm');
  },
);

t.test(
  'presence / requests of one reader, one after the other → one member, until twice its wait is over',
  async (t) => {
    const rig = new Rig();
    const bob = rig.peer('bob');
    bob.carrier.answersPings = false; // it outlives the minutes that pass
    await bob.subscribe('a', NOW, true);
    const told = () =>
      bob.carrier.envelopes.flatMap((each) =>
        each.type === 'joined' || each.type === 'left' ? [each.type] : [],
      );
    const alive = () => bob.carrier.receivedBytes++;
    const visit = { member: 'm-1', leaseMs: 50_000 };
    for (let request = 0; request < 3; request++) {
      const { session } = response(rig, visit);
      await followMany(rig.node, session, [{ channel: 'a', start: NOW }], false, () => {});
      session.leave();
      session.gone('closed');
      rig.seconds(40, alive);
    }
    t.same(told(), ['joined']);
    t.match(rig.node.presence.list('a'), {
      count: 2,
      members: [{ name: 'bob' }, { session: 'm-1', name: 'ann' }],
    });
    rig.seconds(11, alive);
    t.same(told(), ['joined', 'left']);
    t.match(bob.carrier.envelopes.at(-1), { type: 'left', cause: 'timeout', member: { session: 'm-1' } });
  },
);

t.test(
  'presence / two requests of one reader at once → one member for as long as either lasts',
  async (t) => {
    const rig = new Rig();
    const visit = { member: 'm-1', leaseMs: 0 };
    const [one, other] = [response(rig, visit), response(rig, visit)];
    for (const { session } of [one, other])
      await followMany(rig.node, session, [{ channel: 'a', start: NOW }], false, () => {});
    t.equal(rig.node.presence.list('a').count, 1);
    one.session.gone('closed');
    t.equal(rig.node.presence.list('a').count, 1);
    other.session.gone('closed');
    t.equal(rig.node.presence.list('a').count, 0);
  },
);

t.test(
  'a channel of bytes / over the commands → read as base64; a publish, which is JSON, is a conflict',
  async (t) => {
    const rig = new Rig();
    await rig.store.create('a', {
      contentType: 'image/png',
      messages: [{ from: 'ann', data: Buffer.from([1, 2, 3]) }],
    });
    const bob = rig.peer('bob');
    await bob.subscribe('a', '-1');
    await rig.settle();
    t.match(bob.carrier.envelopes.at(-1), { type: 'message', data: 'AQID', encoding: 'base64' });
    const page = await bob.ask({ type: 'history', channel: 'a' });
    t.match(page, { messages: [{ data: 'AQID', encoding: 'base64' }] });
    t.match(await bob.ask({ type: 'publish', channel: 'a', data: 1 }), { type: 'error', code: 'conflict' });
  },
);

t.test(
  'many small messages in one turn / of which each costs a reader much → in pieces, while there is room',
  async (t) => {
    const rig = new Rig();
    await rig.append('a', 0);
    const costly = {
      ...jsonEncoding,
      messages: (_: string, { length }: readonly unknown[]) => Buffer.alloc(length * 3000, 1),
    };
    const { carrier, session } = response(rig, undefined, costly);
    await followOne(rig.node, session, { channel: 'a', start: NOW }, () => {});
    carrier.stall();
    const { maxQueuedBytes } = rig.node.limits;
    const batch = Array.from({ length: 10_000 }, () => ({ from: 'bob', data: '1' }));
    await rig.store.append('a', batch);
    await rig.settle();
    t.ok(carrier.mostQueuedBytes < maxQueuedBytes + 200 * 3000, `${carrier.mostQueuedBytes} bytes at most`);
  },
);
