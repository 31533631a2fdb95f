import t from 'tap';
import { NOTHING_HELD, promises, Rig } from '../support/core.js';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

t.test('members / asked for on subscribing → who is there, oneself included, and how many', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [rig.peer('ann', { user: 'u1' }), rig.peer('bob')];
  t.match(await ann.subscribe('a', undefined, true), {
    members: [{ session: 's1', user: 'u1', name: 'ann' }],
    count: 1,
  });
  const plain = await bob.subscribe('a');
  t.notOk('members' in plain || 'count' in plain, 'who did not ask is not told');
  t.match(await rig.peer('eve').ask({ type: 'presence', channel: 'a' }), {
    type: 'presence',
    channel: 'a',
    members: [{ name: 'ann' }, { name: 'bob' }],
    count: 2,
  });
  t.match(await bob.ask({ type: 'presence', channel: 'nobody/here' }), { members: [], count: 0 });
});

t.test('joined and left / → told to those that asked for it, with the cause', async (t) => {
  const rig = new Rig();
  const [watcher, other] = [rig.peer('watcher'), rig.peer('other')];
  await watcher.subscribe('a', undefined, true);
  await other.subscribe('a');
  t.match(watcher.of('joined'), [{ channel: 'a', member: { session: 's2', user: null, name: 'other' } }]);
  t.equal(watcher.of('joined').length, 1, 'not of oneself');

  const leavers = range(1, 4).map((each) =>
    rig.peer(`leaver ${each}`, { expiresAt: each === 4 ? rig.now + 500 : null }),
  );
  for (const leaver of leavers) await leaver.subscribe('a');
  const [unsubscribes, closes, drains] = leavers;
  await unsubscribes?.ask({ type: 'unsubscribe', channel: 'a' });
  await closes?.cut();
  drains?.session.end({ close: 'drain', code: 'draining', cause: 'drain' });
  rig.seconds(1);
  rig.seconds(30, () => {
    for (const peer of [watcher, unsubscribes]) if (peer !== undefined) peer.carrier.receivedBytes++;
  });
  t.same(
    watcher.of('left').map(({ member, cause }) => `${member.name} ${cause}`),
    ['leaver 1 unsubscribed', 'leaver 2 closed', 'leaver 3 drain', 'leaver 4 expired', 'other timeout'],
  );
  t.same(other.of('joined').concat(other.of('joined')), []);
});

t.test(
  'left / all of a large channel drain → told of the last 200 only, so that the drain ends',
  async (t) => {
    const rig = new Rig();
    const peers = range(1, 300).map((each) => rig.peer(`peer ${each}`));
    for (const peer of peers) await peer.subscribe('a', undefined, true);
    const last = peers.at(-1);
    for (const peer of peers) peer.session.end({ close: 'drain', code: 'draining', cause: 'drain' });
    t.equal(last?.of('left').length, 199);
    t.same(rig.held(), NOTHING_HELD);
  },
);

t.test('left / the channel is deleted → nobody is left to be told', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
  await ann.subscribe('a', undefined, true);
  await bob.subscribe('a', undefined, true);
  await rig.store.delete('a');
  t.same(rig.node.presence.list('a'), { members: [], count: 0 });
  t.equal(ann.of('unsubscribed').length, 1);
  t.equal(bob.of('unsubscribed').length, 1);
});

t.test('members / more than 1,000 → the list is cut, the count is not', async (t) => {
  const rig = new Rig();
  const peers = range(1, 1005).map((each) => rig.peer(`p${each}`));
  for (const peer of peers) peer.send({ type: 'subscribe', channel: 'a' });
  await rig.settle();
  const last = rig.peer('last');
  const { members, count } = await last.subscribe('a', undefined, true);
  t.equal(members?.length, 1000);
  t.equal(count, 1006);
  const reply = await last.ask({ type: 'presence', channel: 'a' });
  t.match(reply, { count: 1006 });
  t.equal(reply.type === 'presence' && reply.members.length, 1000);
  for (const peer of [...peers, last]) peer.session.gone('closed');
  t.same(rig.held(), NOTHING_HELD);
  t.same(rig.node.presence.list('a'), { members: [], count: 0 });
});

t.test('no room / joined and left of others → told afterwards; what cancels out is not', async (t) => {
  const rig = new Rig();
  const watcher = rig.peer('watcher');
  const stays = rig.peer('stays');
  await watcher.subscribe('a', undefined, true);
  await stays.subscribe('a');
  const before = watcher.got.length;
  watcher.carrier.fill();
  const writes = watcher.carrier.writes;
  for (let times = 0; times < 50; times++) {
    const comesAndGoes = rig.peer('comes and goes');
    await comesAndGoes.subscribe('a');
    await comesAndGoes.cut();
  }
  const [leaves, comes] = [stays, rig.peer('comes')];
  await comes.subscribe('a');
  await leaves.cut();
  t.equal(watcher.carrier.writes, writes, 'nothing is queued for it');
  watcher.carrier.drain();
  await rig.settle();
  t.same(
    watcher.got.slice(before).map((each) => 'member' in each && [each.type, each.member.name]),
    [
      ['joined', 'comes'],
      ['left', 'stays'],
    ],
  );
  await rig.peer('later').subscribe('a');
  t.match(watcher.got.at(-1), { type: 'joined', member: { name: 'later' } }, 'at once again');
});

t.test('no room / left and joined again by the same session → nothing to tell', async (t) => {
  const rig = new Rig();
  const [watcher, other] = [rig.peer('watcher'), rig.peer('other')];
  await watcher.subscribe('a', undefined, true);
  await other.subscribe('a');
  const before = watcher.got.length;
  watcher.carrier.fill();
  await other.ask({ type: 'unsubscribe', channel: 'a' });
  await other.subscribe('a');
  watcher.carrier.drain();
  t.equal(watcher.got.length, before);
});

t.test('plain / begins → is greeted, hears the channel, and is heard', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [await rig.plain('lobby', 'ann'), await rig.plain('lobby', 'bob')];
  const peer = rig.peer('peer');
  await peer.subscribe('lobby');
  await ann.say('hello "bob"\n');
  await peer.publish('lobby', 'from afar');
  await peer.publish('lobby', { x: [1, null] });
  await peer.publish('lobby', 5);
  const lines = ['ann -> hello "bob"\n', 'peer -> from afar', 'peer -> {"x":[1,null]}', 'peer -> 5'];
  t.same(ann.lines(), ['Welcome ann', ...lines]);
  t.same(bob.lines(), ['Welcome bob', ...lines]);
  t.same(peer.data('lobby'), ['hello "bob"\n', 'from afar', { x: [1, null] }, 5]);
  t.match(peer.of('message')[0], { from: 'ann' });
  t.equal(rig.telemetry.in, 4);
  t.equal(rig.telemetry.out, 12);
});

t.test('plain / history, presence, offsets → are not for it', async (t) => {
  const rig = new Rig();
  await rig.append('lobby', 'before');
  const ann = await rig.plain('lobby');
  await rig.peer('bob').subscribe('lobby');
  await ann.say('{"type":"ping","id":1}');
  t.same(ann.lines(), ['Welcome ann', 'ann -> {"type":"ping","id":1}'], 'an envelope is text like any other');
});

t.test('plain / says too much → is told so, 100 times, then ended', async (t) => {
  const rig = new Rig({ limits: { commandBurst: 2 } });
  const ann = await rig.plain('lobby');
  for (const each of range(1, 102)) await ann.say(`${each}`);
  const said = ann.lines().filter((line) => line.startsWith('ann -> '));
  t.same(said, ['ann -> 1', 'ann -> 2']);
  t.equal(ann.lines().filter((line) => line.startsWith('Error rate_limited: ')).length, 100);
  t.equal(ann.carrier.closedWith?.code, 4429);
  await ann.say('more');
  t.equal(ann.lines().length, 103);
  t.same(rig.held(), NOTHING_HELD);
});

t.test('plain / may not subscribe → 4403; may not publish → told so', async (t) => {
  const rig = new Rig({
    authorize: (_, action, channel) => channel === 'open' && action === 'subscribe',
  });
  const ann = await rig.plain('secret');
  t.same(ann.lines(), ['Welcome ann']);
  t.same(ann.carrier.closedWith, { code: 4403, reason: 'forbidden' });
  const bob = await rig.plain('open', 'bob');
  await bob.say('hello');
  t.same(bob.lines(), ['Welcome bob', 'Error forbidden: you may not publish to this channel']);
  await bob.say('again');
  t.equal(bob.carrier.closedWith, undefined);
  bob.session.gone('closed');
  t.same(rig.held(), NOTHING_HELD);
  t.same(rig.logged, []);
});

t.test('plain / a fault of ours → 1011, logged once', async (t) => {
  const bug = new Error('a bug in the policy');
  const rig = new Rig({ authorize: () => Promise.reject(bug) });
  const ann = await rig.plain('lobby');
  t.same(ann.carrier.closedWith, { code: 1011, reason: 'internal' });
  t.same(rig.logged, [{ error: bug, context: { session: 's1' } }]);
  t.same(rig.held(), NOTHING_HELD);
});

t.test('plain / a text that grows too large as JSON → is told so, and nothing is published', async (t) => {
  const rig = new Rig({ limits: { maxFrameBytes: 100 } });
  const ann = await rig.plain('a');
  await ann.say('\u0001'.repeat(50));
  t.match(ann.lines().at(-1), /^Error too_large: /);
  t.equal(ann.lines().length, 2, 'Welcome, and that');
});

t.test('plain / retention passes it by → is told of the gap', async (t) => {
  const rig = new Rig({ retention: { messages: 2 }, limits: { maxQueuedBytes: 1000 } });
  const ann = await rig.plain('a');
  ann.carrier.fill();
  await rig.append('a', 1, 2, 3, 4, 5);
  await rig.settle();
  ann.carrier.drain();
  await rig.settle();
  t.match(ann.lines().slice(1), [/^Error gap: /, /-> 4$/, /-> 5$/]);
});

t.test(
  'plain / something is said to it alone → a line like any other; a text as text, the rest as JSON',
  async (t) => {
    const rig = new Rig();
    const ann = await rig.plain('a');
    for (const data of ['hello', { n: 1 }]) ann.session.push({ type: 'direct', from: 'server', at: 1, data });
    t.same(ann.lines().slice(1), ['server -> hello', 'server -> {"n":1}']);
  },
);

t.test('plain / its channel is deleted or closed → is told that nothing more will come', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [await rig.plain('a', 'ann'), await rig.plain('b', 'bob')];
  await rig.store.delete('a');
  await rig.store.close('b');
  await rig.settle();
  t.match(ann.lines().at(-1), /^Error gone: /);
  t.match(bob.lines().at(-1), /^Error closed: /);
});

t.test('plain / is cut while it begins → nothing is held', async (t) => {
  let letGo = () => {};
  const authorize = () => new Promise<boolean>((resolve) => (letGo = () => resolve(true)));
  const rig = new Rig({ authorize });
  const begun = rig.plain('lobby');
  await promises();
  rig.node.sessions.get('s1')?.gone('closed');
  letGo();
  t.same((await begun).lines(), ['Welcome ann']);
  t.same(rig.held(), NOTHING_HELD);
});
