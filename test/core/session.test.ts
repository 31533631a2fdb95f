import t from 'tap';
import { DEFAULT_LIMITS } from '../../src/core/limits.js';
import { concerns, parsePattern } from '../../src/core/policy/pattern.js';
import { RateLimit } from '../../src/core/quota/rate.js';
import { Liveness } from '../../src/core/session/liveness.js';
import type { Peer } from '../support/core.js';
import { identityOf, memoryStore, NOTHING_HELD, Rig } from '../support/core.js';
import { SlowStore } from '../support/fake-stores.js';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

t.test('welcome / first → who the session is, and the limits it must know', async (t) => {
  const rig = new Rig();
  const ann = rig.peer('Ann', { user: 'u1' });
  t.same(ann.got, [
    {
      type: 'welcome',
      protocol: 'earshot.v1.json',
      session: 's1',
      name: 'Ann',
      user: 'u1',
      pingIntervalMs: 25_000,
      limits: {
        maxFrameBytes: 65_536,
        maxDataDepth: 64,
        maxSubscriptions: 128,
        commandsPerSecond: 100,
        commandBurst: 200,
        historyPage: 1000,
      },
    },
  ]);
  t.match(rig.peer('bob').of('welcome'), [{ session: 's2', user: null }]);
  t.equal(DEFAULT_LIMITS.maxQueuedBytes, 256 * 1024);
});

t.test('sessions / come and go → are counted, by user and by address as well', async (t) => {
  const rig = new Rig({ limits: { perUser: { maxSessions: 2 }, perAddress: { maxSessions: 2 } } });
  const { sessions } = rig.node;
  const [ann, bob] = [rig.peer('ann', { user: 'u1' }), rig.peer('bob', { user: 'u1' })];
  t.equal(sessions.get('s1'), ann.session);
  t.same(
    [...sessions].map(({ id }) => id),
    ['s1', 's2'],
  );
  const counts = () => [sessions.size, sessions.users, sessions.of('u1').length, rig.telemetry.sessions];
  const full = (user: string | null) =>
    sessions.quotas(user, '192.0.2.1').map(({ scope, hasRoomForSession }) => [scope, hasRoomForSession]);
  t.same(counts(), [2, 1, 2, 2]);
  t.same(full('u1'), [
    ['user', false],
    ['address', false],
  ]);
  t.same(full('u2')[0], ['user', true]);
  await ann.cut();
  await ann.cut();
  t.same(counts(), [1, 1, 1, 1]);
  t.same(sessions.of('u1'), [bob.session]);
  t.same(full('u1'), [
    ['user', true],
    ['address', true],
  ]);
  await bob.cut();
  t.same(counts(), [0, 0, 0, 0]);
  t.equal(sessions.get('s1'), undefined);
});

t.test('rate / a burst is over → rate_limited with the id, and as much again as time passes', async (t) => {
  const rig = new Rig({ limits: { commandsPerSecond: 10, commandBurst: 20 } });
  const ann = rig.peer();
  const ids = range(1, 25).map(() => ann.send({ type: 'ping' }));
  await rig.settle();
  const answers = ids.map((id) => ann.answer(id).type);
  t.same(answers, [...range(1, 20).map(() => 'pong'), ...range(1, 5).map(() => 'error')]);
  t.match(ann.answer(25), { id: 25, code: 'rate_limited', advice: 'retry' });
  rig.pass(300);
  for (const each of ['pong', 'pong', 'pong', 'error']) t.equal((await ann.ask({ type: 'ping' })).type, each);
  rig.pass(60_000);
  const later = range(1, 21).map(() => ann.send({ type: 'ping' }));
  await rig.settle();
  t.equal(later.filter((id) => ann.answer(id).type === 'pong').length, 20, 'never more than the burst');
  t.same(
    rig.telemetry.faults,
    range(1, 7).map(() => 'rate_limited'),
  );
  t.equal(ann.session.ended, false);
});

t.test('rate / what is no command → counts as well', async (t) => {
  const rig = new Rig({ limits: { commandBurst: 3 } });
  const ann = rig.peer();
  for (const each of range(1, 3)) ann.raw(`nonsense ${each}`);
  ann.raw('more nonsense');
  ann.raw('{"type":"shout","id":9}');
  t.same(
    ann.of('error').map(({ code, id }) => [code, id]),
    [
      ['bad_envelope', undefined],
      ['bad_envelope', undefined],
      ['bad_envelope', undefined],
      ['rate_limited', undefined],
      ['rate_limited', 9],
    ],
  );
});

t.test('rate / 100 refused in a row → bye and 4429; one within the rate between → not', async (t) => {
  const rig = new Rig({ limits: { commandsPerSecond: 10, commandBurst: 1 } });
  const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
  await bob.fence();
  for (const _ of range(1, 99)) bob.send({ type: 'ping' });
  rig.pass(100);
  await bob.fence();
  for (const _ of range(1, 99)) bob.send({ type: 'ping' });
  t.equal(bob.session.ended, false);

  await ann.fence();
  for (const _ of range(1, 120)) ann.send({ type: 'ping' });
  await rig.settle();
  t.equal(ann.of('error').length, 100);
  t.same(ann.got.at(-1), { type: 'bye', code: 'rate_limited', advice: 'retry', afterMs: [500, 5000] });
  t.same(ann.carrier.closedWith, { code: 4429, reason: 'rate_limited' });
  t.match(rig.held(), { sessions: 1 });
});

t.test('rate / a flood that never pauses → 4429, although some of it is within the rate', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  for (let ms = 0; ms < 1000 && !ann.session.ended; ms++) {
    rig.pass(1);
    for (const _ of range(1, 2)) ann.send({ type: 'ping' });
  }
  await rig.settle();
  t.same(ann.carrier.closedWith, { code: 4429, reason: 'rate_limited' });
  t.equal(ann.of('error').length, 100);
});

t.test('bad envelopes / ten in a row → bye and 4400; a good one between starts the count anew', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  const bad = (times: number) => {
    for (let each = 0; each < times; each++) ann.raw('{"type":"shout"}');
  };
  bad(9);
  await ann.fence();
  bad(9);
  ann.raw('{"type":"unsubscribe","id":8,"channel":"a b"}');
  ann.raw(`{"type":"publish","id":9,"channel":"a","data":${'['.repeat(70)}`);
  t.equal(ann.session.ended, false, 'a bad channel or bad data is no bad envelope');
  bad(1);
  t.same(ann.got.at(-1), { type: 'bye', code: 'bad_envelope', advice: 'never' });
  t.same(ann.carrier.closedWith, { code: 4400, reason: 'bad_envelope' });
  const writes = ann.carrier.writes;
  ann.raw('{"type":"ping","id":10}');
  await rig.settle();
  t.equal(ann.carrier.writes, writes, 'what comes after the end is not looked at');
  t.same(rig.held(), NOTHING_HELD);
});

t.test('subscriptions / one more than the limit → too_many; ten of those in a row → 4413', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  for (const each of range(1, 128)) await ann.subscribe(`c${each}`);
  const more = () => ann.ask({ type: 'subscribe', channel: 'one/more' });
  t.match(await more(), { type: 'error', code: 'too_many', advice: 'retry' });
  await ann.ask({ type: 'unsubscribe', channel: 'c1' });
  await ann.subscribe('instead');
  rig.pass(10_000);
  for (const _ of range(1, 9)) t.match(await more(), { code: 'too_many' });
  t.equal(ann.session.ended, false);
  ann.send({ type: 'subscribe', channel: 'one/more' });
  await rig.settle();
  t.same(ann.got.at(-1), { type: 'bye', code: 'too_many', advice: 'never' });
  t.same(ann.carrier.closedWith, { code: 4413, reason: 'too_many' });
  t.same(rig.held(), NOTHING_HELD);
});

t.test('subscriptions / all asked for at once → no more than the limit', async (t) => {
  const rig = new Rig({ limits: { maxSubscriptions: 5 } });
  const ann = rig.peer();
  const ids = range(1, 12).map((each) => ann.send({ type: 'subscribe', channel: `c${each}` }));
  await rig.settle();
  t.same(
    ids.map((id) => ann.answer(id).type),
    [...range(1, 5).map(() => 'subscribed'), ...range(1, 7).map(() => 'error')],
  );
  t.match(rig.held(), { channels: 5, subscriptions: 5 });
  await ann.cut();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('authenticate / the same user → renewed in place; the name stays', async (t) => {
  const start = new Rig().now;
  const tokens = {
    newer: identityOf('Another Name', { user: 'ann', expiresAt: start + 120_000, claims: { role: 'admin' } }),
    bobs: identityOf('bob', { user: 'bob' }),
  };
  const rig = new Rig({ tokens });
  const ann = rig.peer('Ann', { user: 'ann', expiresAt: start + 60_000 });
  const reply = await ann.ask({ type: 'authenticate', token: 'newer' });
  t.same(reply, { type: 'authenticated', id: 1, user: 'ann', expiresAt: start + 120_000 });
  t.match(ann.session.identity, { name: 'Ann', claims: { role: 'admin' } });
  t.match(await ann.ask({ type: 'authenticate', token: 'bobs' }), { code: 'forbidden', advice: 'never' });
  t.match(await ann.ask({ type: 'authenticate', token: 'bad' }), {
    code: 'unauthenticated',
    advice: 'refresh',
  });
  t.equal(ann.session.identity.user, 'ann');
  rig.pass(60_000);
  rig.node.tick();
  t.equal(ann.session.ended, false, 'the old end no longer counts');
});

t.test(
  'time / looked at in parts → each session once in a round, also where others come and go',
  async (t) => {
    const rig = new Rig();
    const expiring = () => rig.peer('ann', { user: 'ann', expiresAt: rig.now + 1000 });
    const ended = (peers: readonly Peer[]) => peers.filter(({ session }) => session.ended).length;
    const peers = range(1, 25).map(expiring);
    rig.node.tick(10);
    t.equal(ended(peers), 0);
    rig.pass(1000);
    const ends = range(1, 9).map(() => {
      rig.node.tick(10);
      return ended(peers);
    });
    t.same(ends, [3, 6, 8, 10, 12, 14, 16, 17, 18], 'a tenth of those that are left, rounded up');
    await peers[24]?.cut();
    peers.push(expiring(), expiring());
    rig.pass(1000);
    for (let part = 0; part < 20; part++) rig.node.tick(10);
    t.equal(ended(peers), 27);
    t.match(rig.held(), { sessions: 0 });
  },
);

t.test('token / expires → bye, 4401, and left because expired', async (t) => {
  const rig = new Rig();
  const ann = rig.peer('ann', { user: 'ann', expiresAt: rig.now + 10_000 });
  const bob = rig.peer('bob');
  await bob.subscribe('a', undefined, true);
  await ann.subscribe('a');
  rig.seconds(9);
  t.equal(ann.session.ended, false);
  rig.seconds(1);
  t.same(ann.got.at(-1), { type: 'bye', code: 'unauthenticated', advice: 'refresh' });
  t.same(ann.carrier.closedWith, { code: 4401, reason: 'unauthenticated' });
  t.match(bob.got.at(-1), { type: 'left', cause: 'expired', member: { user: 'ann' } });
  t.equal(bob.session.ended, false, 'who has no end of its own stays');
});

t.test('end / twice, and after the cut → once', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await ann.subscribe('a');
  const drain = { close: 'drain', code: 'draining', cause: 'drain', afterMs: [0, 9000] } as const;
  ann.session.end(drain);
  ann.session.end(drain);
  ann.session.gone('closed');
  t.same(ann.of('bye'), [{ type: 'bye', code: 'draining', advice: 'retry', afterMs: [0, 9000] }]);
  t.same(ann.carrier.closedWith, { code: 1012, reason: 'draining' });
  t.same(rig.held(), NOTHING_HELD);
});

/** Seconds until something holds. */
function secondsUntil(rig: Rig, holds: () => boolean, each?: () => void): number {
  for (let second = 1; second <= 200; second++) {
    rig.seconds(1, each);
    if (holds()) return second;
  }
  return Number.POSITIVE_INFINITY;
}

t.test('life / a quiet peer → is pinged within the interval, and any byte is life', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  t.equal(
    secondsUntil(rig, () => ann.carrier.pings > 0),
    19,
    'the first at random in the second half',
  );
  rig.seconds(7);
  ann.carrier.receivedBytes++;
  t.equal(
    secondsUntil(rig, () => ann.carrier.pings > 1),
    18,
    'the next 25 s after it',
  );
  t.equal(
    secondsUntil(rig, () => ann.session.ended),
    8,
    'no byte in 8 s: dead',
  );
  t.same(ann.got.at(-1), { type: 'bye', code: 'unavailable', advice: 'retry', afterMs: [0, 1000] });
  t.same(ann.carrier.closedWith, { code: 4408, reason: 'unavailable' });
  t.equal(ann.carrier.terminated, true);
  t.same(rig.held(), NOTHING_HELD);
});

t.test('life / a peer that answers → lives for ever', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  let answered = 0;
  rig.seconds(600, () => {
    if (ann.carrier.pings > answered) ann.carrier.receivedBytes += 6;
    answered = ann.carrier.pings;
  });
  t.equal(ann.session.ended, false);
  t.equal(ann.carrier.pings, 24, 'one each 25 s');
});

t.test('life / a reader that reads slowly → is not taken for dead while it takes something', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  ann.carrier.fill();
  let second = 0;
  rig.seconds(300, () => {
    if (++second % 50 === 0) ann.carrier.sentBytes += 10;
  });
  t.equal(ann.session.ended, false);
  t.equal(ann.carrier.pings, 0, 'a ping would stand behind what is queued');
  t.equal(
    secondsUntil(rig, () => ann.session.ended),
    60,
    '60 s after it last did',
  );
  t.equal(ann.carrier.closedWith?.code, 4408);
});

t.test('life / stalls after a ping, then reads again → has its time to answer', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  secondsUntil(rig, () => ann.carrier.pings > 0);
  ann.carrier.fill();
  rig.seconds(30);
  t.equal(ann.session.ended, false, 'not before stallTimeoutMs');
  ann.carrier.drain();
  rig.seconds(1);
  t.equal(ann.session.ended, false, 'the pong is on its way');
  ann.carrier.receivedBytes += 6;
  rig.seconds(10);
  t.equal(ann.session.ended, false);
  ann.carrier.fill();
  ann.carrier.drain();
  t.ok(secondsUntil(rig, () => ann.session.ended) < 40, 'who answers nothing is found out all the same');
});

t.test(
  'life / we read nothing of it, being busy with its commands → it is not taken for dead before it stalls',
  async (t) => {
    let store: SlowStore | undefined;
    const rig = new Rig({
      store: (parts) => {
        store = new SlowStore(memoryStore(parts));
        return store;
      },
    });
    const ann = rig.peer();
    const letGo = store?.hold('append');
    for (const each of range(1, 20)) ann.send({ type: 'publish', channel: `c${each}`, data: 1 });
    await rig.settle();
    t.equal(ann.carrier.paused, true);
    rig.seconds(59);
    t.equal(ann.session.ended, false);
    letGo?.();
    await rig.settle();
    t.equal(ann.carrier.paused, false);
    t.ok(secondsUntil(rig, () => ann.session.ended) < 40, 'afterwards it has to answer');
  },
);

t.test(
  'life / a ping stands behind what left and is not read yet → the pong has the time for that',
  async (t) => {
    const rig = new Rig();
    const ann = rig.peer();
    secondsUntil(rig, () => ann.carrier.pings > 0);
    ann.carrier.receivedBytes += 6;
    ann.carrier.sentBytes += 4 * 64 * 1024;
    secondsUntil(rig, () => ann.carrier.pings > 1);
    rig.seconds(39);
    t.equal(ann.session.ended, false, '8 s, and 8 s for each of the four 64 KiB');
    ann.carrier.receivedBytes += 6;
    ann.carrier.sentBytes += 1000;
    secondsUntil(rig, () => ann.carrier.pings > 2);
    t.equal(
      secondsUntil(rig, () => ann.session.ended),
      8,
      'what was before an answered ping was read',
    );
  },
);

t.test(
  'life / a ping stands behind megabytes, and no pong comes → dead after the stall timeout',
  async (t) => {
    const rig = new Rig();
    const ann = rig.peer();
    ann.carrier.sentBytes += 6_000_000;
    secondsUntil(rig, () => ann.carrier.pings > 0);
    t.equal(
      secondsUntil(rig, () => ann.session.ended),
      60,
    );
    t.equal(ann.carrier.terminated, true);
  },
);

t.test('liveness / first pings of many → are spread over half of the interval', async (t) => {
  const times = { pingIntervalMs: 1000, pongTimeoutMs: 300, stallTimeoutMs: 5000 };
  const vitals = { receivedBytes: 0, sentBytes: 0, queuedBytes: 0, answersPings: true };
  const firstPing = (spread: number) => {
    const liveness = new Liveness(0, times, spread);
    for (let now = 0; ; now++) if (liveness.judge(now, times, vitals, false) === 'ping') return now;
  };
  t.same([0, 0.5, 1].map(firstPing), [500, 750, 1000]);
});

t.test('rate limit / a clock that goes back → neither gives nor takes', async (t) => {
  const rate = new RateLimit(2, 1000);
  t.same(
    [1000, 500, 500, 1400, 1500].map((now) => rate.take(now, 1, 2)),
    [true, true, false, false, true],
  );
});

t.test('patterns / the table', async (t) => {
  const cases = [
    ['a', 'a', true],
    ['a', 'b', false],
    ['a', 'a/b', false],
    ['a/b', 'a', false],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['a/*', 'a/b', true],
    ['a/*', 'a', false],
    ['*/b', 'a/b', true],
    ['*/b', 'a/c', false],
    ['a/*/c', 'a/b/c', true],
    ['**', 'a', true],
    ['**', 'a/b/c', true],
    ['a/**', 'a', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'b', false],
    ['a/**', 'ab', false],
    ['a/*/**', 'a', false],
    ['a/*/**', 'a/b', true],
    ['a*', 'ab', false],
    ['a/{sub}', 'a/b', true],
  ] as const;
  for (const [text, channel, matches] of cases) {
    const pattern = parsePattern(text);
    t.equal(pattern !== undefined && concerns(pattern, channel), matches, `${text} and ${channel}`);
  }
});
