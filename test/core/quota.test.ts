import t from 'tap';
import { PolicyTable } from '../../src/core/policy/table.js';
import { takeCommand, takeMore } from '../../src/core/quota/meter.js';
import { networkOf } from '../../src/core/quota/network.js';
import type { Scope } from '../../src/core/quota/quota.js';
import { isBounded, Quota } from '../../src/core/quota/quota.js';
import { Quotas } from '../../src/core/quota/quotas.js';
import { burstOf, RateLimit } from '../../src/core/quota/rate.js';
import { Rates } from '../../src/core/quota/rates.js';
import { request } from '../../src/core/session/request.js';
import { identityOf, Rig } from '../support/core.js';
import { ruleOf } from '../support/policy.js';

/** How often in a row it says yes. */
function times(take: () => boolean, atMost = 100_000): number {
  for (let count = 0; count < atMost; count++) if (!take()) return count;
  return atMost;
}

t.test('address / IPv4, and the network of an IPv6 → what counts as one', async (t) => {
  const cases = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1::5', '2001:db8:0:1::/64'],
    ['2001:0DB8::1:5', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['unknown', 'unknown'],
  ] as const;
  for (const [address, network] of cases) t.equal(networkOf(address), network, address);
  const rig = new Rig({ limits: { perAddress: { maxSessions: 1 } } });
  const { sessions } = rig.node;
  rig.node.begin(identityOf('ann'), rig.peer('bob').carrier, '2001:db8:0:1::5');
  const isFull = (address: string) =>
    sessions.quotas(null, address).some((quota) => !quota.hasRoomForSession);
  t.same([isFull('2001:db8:0:1:ffff::1'), isFull('2001:db8:0:2::5')], [true, false]);
});

t.test('rate / a burst is used up → what time brings, and never more than a burst', async (t) => {
  const rate = new RateLimit(20, 0);
  const take = (now: number) => () => rate.take(now, 10, 20);
  t.equal(times(take(0)), 20);
  t.equal(times(take(99)), 0, 'not a whole one yet');
  t.equal(times(take(100)), 1);
  t.equal(times(take(1100)), 10);
  t.equal(times(take(3_600_000)), 20, 'an hour later');
});

t.test('rate / amounts → are taken whole or not at all', async (t) => {
  const rate = new RateLimit(100, 0);
  t.ok(rate.take(0, 50, 100, 60));
  t.notOk(rate.take(0, 50, 100, 60), 'only 40 are left');
  t.equal(rate.left, 40, 'what was refused took nothing');
  t.ok(rate.take(0, 50, 100, 40));
  t.notOk(rate.take(0, 50, 100));
  t.ok(rate.take(1000, 50, 100, 50));
});

t.test('rate / more than a whole burst → is taken from a full one, and has to be paid back', async (t) => {
  const rate = new RateLimit(100, 0);
  t.ok(rate.take(0, 50, 100, 250));
  t.notOk(rate.take(3000, 50, 100), 'three seconds have brought 150, which pays the 150 back');
  t.ok(rate.take(3020, 50, 100));
  t.notOk(rate.take(4000, 50, 100, 250), 'a bucket that is not full');
  t.ok(rate.take(5020, 50, 100, 250));
});

t.test('rate / a clock that stands still or goes back → brings nothing', async (t) => {
  const rate = new RateLimit(2, 1000);
  t.equal(
    times(() => rate.take(1000, 1000, 2)),
    2,
  );
  t.equal(
    times(() => rate.take(0, 1000, 2)),
    0,
  );
});

t.test('burst / of a rate without one → two seconds of it, and one at least', async (t) => {
  t.strictSame([0.001, 0.4, 1, 7.5, 1000].map(burstOf), [1, 1, 2, 15, 2000]);
});

t.test('quota / each rate that is set → bounds its own and no other', async (t) => {
  const quota = new Quota('user', {
    commandsPerSecond: 5,
    publishesPerSecond: 2,
    bytesPerSecond: 500,
    connectsPerSecond: 1,
  });
  t.equal(
    times(() => quota.take('commands', 0)),
    10,
  );
  t.equal(
    times(() => quota.take('publishes', 0)),
    4,
  );
  t.equal(
    times(() => quota.take('bytes', 0, 100)),
    10,
  );
  t.equal(
    times(() => quota.take('connects', 0)),
    2,
  );
  t.equal(
    times(() => quota.take('commands', 1000)),
    5,
    'a second later',
  );
});

t.test('quota / a rate that is not set → bounds nothing', async (t) => {
  const quota = new Quota('user', { maxSessions: 1 });
  for (const name of ['commands', 'publishes', 'bytes', 'connects'] as const) {
    t.equal(
      times(() => quota.take(name, 0, 1e9)),
      100_000,
      name,
    );
  }
  t.ok(quota.hasRoomForSubscription);
});

t.test('quota / sessions and subscriptions → have room until there are as many as may be', async (t) => {
  const quota = new Quota('address', { maxSessions: 2, maxSubscriptions: 3 });
  quota.sessions = 1;
  quota.subscriptions = 2;
  t.ok(quota.hasRoomForSession && quota.hasRoomForSubscription);
  quota.sessions = 2;
  t.notOk(quota.hasRoomForSession);
  t.ok(quota.hasRoomForSubscription);
  quota.subscriptions = 3;
  t.notOk(quota.hasRoomForSubscription);
});

t.test('bounded / nothing is set, or something → is told apart', async (t) => {
  t.notOk(isBounded({}));
  t.notOk(isBounded({ maxSessions: undefined }));
  t.ok(isBounded({ bytesPerSecond: 0.1 }));
});

t.test('command / several quotas → the first that is used up is named', async (t) => {
  const of = (scope: Scope, limits: ConstructorParameters<typeof Quota>[1]) => new Quota(scope, limits);
  const quotas = [
    of('session', { bytesPerSecond: 50 }),
    of('user', { commandsPerSecond: 1, publishesPerSecond: 0.5 }),
    of('address', {}),
  ];
  t.equal(takeCommand(quotas, 0, 60), undefined);
  t.strictSame(takeCommand(quotas, 0, 60), { limit: 'bytes', scope: 'session' });
  t.equal(takeCommand(quotas, 0, 1), undefined);
  t.strictSame(takeCommand(quotas, 0, 1), { limit: 'commands', scope: 'user' });
  t.equal(takeMore(quotas, 0, 'publish'), undefined);
  t.strictSame(takeMore(quotas, 0, 'publish'), { limit: 'publishes', scope: 'user' });
  t.equal(takeMore(quotas, 0, 'subscribe'), undefined, 'is no publish');
  t.equal(takeMore(quotas, 0, undefined), undefined, 'nor is what could not be read');
  t.equal(takeCommand([], 0, 1e9), undefined);
});

t.test('quotas / nothing is bounded → nothing is kept', async (t) => {
  const quotas = new Quotas('user', {});
  quotas.sessionBegan('ann');
  t.equal(quotas.of('ann'), undefined);
  quotas.sessionEnded('ann');
});

t.test('quotas / one user and another → are apart, whatever they are called', async (t) => {
  const quotas = new Quotas('user', { commandsPerSecond: 1 });
  for (const user of ['ann', '__proto__', 'constructor', 'toString', '']) {
    t.equal(
      times(() => quotas.of(user)?.take('commands', 0) ?? false),
      2,
      user,
    );
  }
});

t.test('quotas / a user comes and goes → finds what it had used, its sessions counted', async (t) => {
  const quotas = new Quotas('user', { maxSessions: 2, commandsPerSecond: 1 });
  quotas.sessionBegan('ann');
  quotas.sessionBegan('ann');
  t.notOk(quotas.of('ann')?.hasRoomForSession);
  quotas.of('ann')?.take('commands', 0, 2);
  quotas.sessionEnded('ann');
  t.ok(quotas.of('ann')?.hasRoomForSession);
  quotas.sessionEnded('ann');
  quotas.sessionEnded('ann');
  t.equal(quotas.of('ann')?.sessions, 0, 'one end too many changes nothing');
  t.notOk(quotas.of('ann')?.take('commands', 0), 'what was used stays used');
  t.ok(quotas.of('ann')?.take('commands', 1000));
});

t.test(
  'quotas / ten thousand strangers → the one who is silent longest is forgotten; who has a session never',
  async (t) => {
    const quotas = new Quotas('address', { commandsPerSecond: 1 });
    const left = (address: string) => times(() => quotas.of(address)?.take('commands', 0) ?? false);
    quotas.sessionBegan('with a session');
    t.equal(left('with a session'), 2);
    t.equal(left('silent'), 2);
    t.equal(left('comes back'), 2);
    for (let at = 0; at < 9998; at++) quotas.of(`stranger ${at}`);
    t.equal(left('comes back'), 0, 'all are remembered');
    quotas.of('one more');
    t.equal(left('silent'), 2, 'forgotten, so it has a whole burst');
    t.equal(left('comes back'), 0);
    for (let at = 0; at < 30_000; at++) quotas.of(`another ${at}`);
    t.equal(left('comes back'), 2);
    t.equal(left('with a session'), 0, 'is bounded as before');
  },
);

t.test(
  'rates / by name → each has its own; of too many, the one who is silent longest is forgotten',
  async (t) => {
    const rates = new Rates();
    const left = (name: string) => times(() => rates.take(name, 0, 1, 3));
    t.equal(left('user ann'), 3);
    t.equal(left('user __proto__'), 3);
    t.equal(left('user ann'), 0);
    for (let at = 0; at < 9_999; at++) rates.take(`user ${at}`, 0, 1, 3);
    t.equal(left('user ann'), 0, 'was heard of later than __proto__');
    t.equal(left('user __proto__'), 3);
  },
);

t.test('request / a user is called like another on a channel → each has rates of its own', async (t) => {
  const policy = new PolicyTable([ruleOf('**', { publishesPerSecond: 0.5 })]);
  const rig = new Rig({ policy });
  const ask = async (user: string, command: object) =>
    JSON.parse(
      await request(rig.node, 'r', identityOf(user, { user }), '192.0.2.1', JSON.stringify(command)),
    );
  const publish = { type: 'publish', id: 1, channel: 'a', data: 1 };
  t.match(await ask('ann', publish), { type: 'published' });
  t.match(await ask('ann', publish), { code: 'rate_limited' });
  t.match(await ask('ann on a', { type: 'history', id: 1, channel: 'a' }), { type: 'history' });
  t.match(await ask('ann on a', publish), { type: 'published' });
});
