import fc from 'fast-check';
import t from 'tap';
import { ACTIONS } from '../../src/core/policy/action.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { identityOf, promises } from '../support/core.js';
import { Neighbourhood } from '../support/neighbourhood.js';
import { ruleOf } from '../support/policy.js';

const FOREVER = Number.POSITIVE_INFINITY;

t.test('presence / subscribed on two nodes → each lists both, and both are told once', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [ann, bob] = [all.peer('a', 'ann', { user: 'u1' }), all.peer('b', 'bob')];
  await ann.subscribe('room', undefined, true);
  await all.settle();
  t.match(await bob.subscribe('room', undefined, true), {
    members: [{ name: 'ann', user: 'u1' }, { name: 'bob' }],
    count: 2,
  });
  await all.settle();
  t.same(all.members('a', 'room'), [ann.session.id, bob.session.id]);
  t.match(ann.of('joined'), [{ channel: 'room', member: { name: 'bob', user: null } }]);
  t.same(bob.of('joined'), []);
  await bob.ask({ type: 'unsubscribe', channel: 'room' });
  await all.settle();
  t.match(ann.of('left'), [{ channel: 'room', member: { name: 'bob' }, cause: 'unsubscribed' }]);
  t.same(all.members('b', 'room'), [ann.session.id]);
  await ann.cut();
  await all.settle();
  t.same([all.members('a', 'room'), all.members('b', 'room')], [[], []]);
});

t.test('presence / a node starts later → it is told who is there already', async (t) => {
  const all = new Neighbourhood(['a']);
  const ann = all.peer('a');
  await ann.subscribe('room');
  await all.settle();
  all.start('b');
  await all.settle();
  t.same(all.members('b', 'room'), [ann.session.id], 'within the time that two texts take');
});

t.test(
  'presence / a node is killed → its members are there for the lease, then left by timeout',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const [watcher, gone] = [all.peer('a', 'watcher'), all.peer('b', 'gone')];
    await watcher.subscribe('room', undefined, true);
    await gone.subscribe('room');
    await all.settle();
    all.kill('b');
    await all.seconds(5);
    t.same(watcher.of('left'), []);
    await all.seconds(1);
    t.match(watcher.of('left'), [{ member: { name: 'gone' }, cause: 'timeout' }]);
    t.same(all.members('a', 'room'), [watcher.session.id]);
    t.equal(all.node('a').node.neighbours?.count, 0);
  },
);

t.test('presence / a node drains → its members leave by drain, at once', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [watcher, reader] = [all.peer('a', 'watcher'), all.peer('b', 'drained')];
  await watcher.subscribe('room', undefined, true);
  await reader.subscribe('room');
  await all.settle();
  await all.drain('b');
  t.match(watcher.of('left'), [{ member: { name: 'drained' }, cause: 'drain' }]);
  t.equal(all.node('a').node.neighbours?.count, 0);
});

t.test(
  'presence / 300 drain on another node → all are told of; here too → of the last 200 only',
  async (t) => {
    for (const [drainsToo, told] of [
      [false, 300],
      [true, 199],
    ] as const) {
      const all = new Neighbourhood(['a', 'b']);
      const watcher = all.peer('a', 'watcher');
      await watcher.subscribe('room', undefined, true);
      const own = all.peer('a', 'own');
      await own.subscribe('room');
      const others = Array.from({ length: 300 }, (_, at) => all.peer('b', `other ${at}`));
      for (const other of others) other.send({ type: 'subscribe', channel: 'room' });
      await all.settle();
      if (drainsToo) own.session.end({ close: 'drain', code: 'draining', cause: 'drain' });
      await all.drain('b');
      t.equal(watcher.of('left').filter(({ member }) => member.name !== 'own').length, told);
    }
  },
);

t.test('presence / a reader goes from one node to another → joined once, left after the last', async (t) => {
  const all = new Neighbourhood(['a', 'b', 'c']);
  const watcher = all.peer('c', 'watcher');
  await watcher.subscribe('room', undefined, true);
  for (const node of ['a', 'b', 'a', 'b']) {
    const end = await all.visit(node, 'reader', 'room', 3000);
    await all.seconds(1);
    end();
    await all.settle();
  }
  t.equal(watcher.of('joined').length, 1);
  await all.seconds(2);
  t.same(watcher.of('left'), []);
  await all.seconds(2);
  t.match(watcher.of('left'), [{ member: { session: 'reader' }, cause: 'timeout' }]);
  for (const name of ['a', 'b', 'c']) t.same(all.members(name, 'room'), [watcher.session.id]);
});

t.test('presence / a reader is on two nodes, and leaves one → is there, wherever one asks', async (t) => {
  const all = new Neighbourhood(['a', 'b', 'c']);
  const watcher = all.peer('a', 'watcher');
  await watcher.subscribe('room', undefined, true);
  const [endHere, endThere] = [
    await all.visit('a', 'reader', 'room', 1000),
    await all.visit('b', 'reader', 'room', 1000),
  ];
  const there = ['a', 'b', 'c'].map(() => [watcher.session.id, 'reader']);
  const lists = () => ['a', 'b', 'c'].map((name) => all.members(name, 'room'));
  endThere();
  await all.seconds(3);
  t.same(lists(), there);
  await all.visit('b', 'reader', 'room', 1000);
  await all.settle();
  endHere();
  await all.seconds(3);
  t.same(lists(), there);
  t.equal(watcher.of('joined').length, 1);
  t.same(watcher.of('left'), []);
});

t.test(
  'presence / a reader comes back to the node where it is still a member → nothing is told',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    await all.seconds(2);
    const before = all.bus.texts.length;
    for (let each = 0; each < 3; each++) {
      const end = await all.visit('a', 'reader', 'room', 3000);
      await all.seconds(1);
      end();
    }
    t.equal(all.bus.texts.slice(before).filter((text) => text.includes('"joined"')).length, 1);
    t.same(all.members('b', 'room'), ['reader']);
  },
);

t.test('presence / news come again, late → they are known, and change nothing', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  await all.seconds(1);
  const ann = all.peer('b');
  await ann.subscribe('room');
  await all.settle();
  const came = all.bus.texts.at(-1) ?? '';
  await ann.cut();
  await all.settle();
  all.bus.publish('b', came);
  await all.settle();
  t.match(came, /"joined"/);
  t.same(all.members('a', 'room'), []);
});

t.test('presence / news are lost → the hole is seen with the next news or the next beat', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [first, second, third] = [all.peer('b'), all.peer('b'), all.peer('b')];
  await all.seconds(2);
  const lose = async (work: () => Promise<unknown>) => {
    all.bus.copies = () => 0;
    await work();
    await all.settle();
    all.bus.copies = () => 1;
  };
  await lose(() => first.subscribe('room'));
  t.same(all.members('a', 'room'), []);
  await second.subscribe('room');
  await all.settle();
  t.same(all.members('a', 'room'), [first.session.id, second.session.id], 'with the next news');
  await lose(() => third.subscribe('room'));
  await lose(() => first.cut());
  await all.seconds(1);
  t.same(all.members('a', 'room'), [second.session.id, third.session.id], 'with the next beat');
});

t.test('presence / what was asked for is lost as well → asked for again every second', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const ann = all.peer('b');
  all.bus.copies = () => 0;
  await ann.subscribe('room');
  await all.settle();
  all.bus.copies = () => 1;
  let lost = 0;
  all.bus.copies = () => (all.bus.texts.at(-1)?.includes('"begins"') && ++lost <= 2 ? 0 : 1);
  await all.seconds(5);
  t.ok(lost > 2);
  t.same(all.members('a', 'room'), [ann.session.id]);
});

t.test('presence / a bus that is cut for longer than the lease → left, and joined again after', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [watcher, other] = [all.peer('a', 'watcher'), all.peer('b', 'other')];
  await watcher.subscribe('room', undefined, true);
  await other.subscribe('room');
  await all.settle();
  all.bus.cut.add('b');
  await all.seconds(7);
  t.same(all.members('a', 'room'), [watcher.session.id]);
  t.same(all.members('b', 'room'), [other.session.id]);
  all.bus.cut.delete('b');
  await all.seconds(2);
  const both = [watcher.session.id, other.session.id];
  t.same([all.members('a', 'room'), all.members('b', 'room')], [both, both]);
  t.same(
    watcher.got.flatMap((each) => (each.type === 'joined' || each.type === 'left' ? [each.type] : [])),
    ['joined', 'left', 'joined'],
  );
});

t.test(
  'presence / this node was held up for longer than the lease → nobody else is taken for gone',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const [watcher, other] = [all.peer('a', 'watcher'), all.peer('b', 'other')];
    await watcher.subscribe('room', undefined, true);
    await other.subscribe('room');
    await all.settle();
    all.node('a').pass(8000);
    all.node('a').node.tick();
    t.same(watcher.of('left'), []);
    await all.seconds(10);
    t.same(watcher.of('left'), []);
  },
);

t.test('presence / a channel whose rule says none → nothing is told, here or there', async (t) => {
  const open = { anonymous: new Set(ACTIONS) };
  const off = new PolicyTable([ruleOf('**', open), ruleOf('quiet/*', { ...open, presence: false })]);
  const all = new Neighbourhood(['a', 'b'], { policy: off });
  await all.peer('a').subscribe('quiet/room');
  await all.settle();
  t.notMatch(all.bus.texts.join('\n'), /quiet/);
  all.bus.publish('c', changes('c', 1, [joined('quiet/room', 'x')], { begins: true, ends: true }));
  all.bus.publish('c', changes('c', 2, [joined('loud', 'x')]));
  await all.settle();
  t.same(all.members('b', 'quiet/room'), []);
  t.same(all.members('b', 'loud'), ['x']);
});

t.test(
  'presence / 3,000 members while others come and go → told in pieces, and all of it is right',
  async (t) => {
    const all = new Neighbourhood(['a']);
    const peers = Array.from({ length: 3000 }, (_, at) => all.peer('a', `p${at}`));
    for (const [at, peer] of peers.entries()) peer.send({ type: 'subscribe', channel: `room/${at % 7}` });
    await all.settle();
    const b = all.start('b');
    all.bus.deliver();
    for (let turn = 0; turn < 4; turn++) {
      all.node('a').turn();
      all.bus.deliver();
      for (const peer of peers.splice(turn * 40, 30)) peer.session.gone('closed');
      all.peer('a').send({ type: 'subscribe', channel: `room/${turn}` });
      await promises();
    }
    t.ok(b.node.presence.list('room/0').count === 0, 'not before it is whole');
    await all.settle();
    const pieces = all.bus.texts.filter((text) => text.includes('"joined"')).slice(-9);
    t.ok(pieces.every((text) => text.length < 100_000));
    for (let room = 0; room < 7; room++) {
      const { count } = all.node('a').node.presence.list(`room/${room}`);
      t.ok(count > 300);
      t.same(all.members('b', `room/${room}`), all.members('a', `room/${room}`));
    }
  },
);

t.test(
  'presence / many ask again and again → a tenth of the time goes into telling, and all are told',
  async (t) => {
    const all = new Neighbourhood(['a']);
    const a = all.node('a');
    await all.settle();
    const snapshots = () => all.bus.texts.filter((text) => text.includes('"begins"')).length;
    const ask = async (name: string) => {
      all.bus.publish(name, JSON.stringify({ v: 1, node: name, type: 'ask', of: 'a.s1' }));
      all.bus.deliver();
      await promises();
    };
    await ask('x');
    a.pass(10); // while it is told
    await ask('y');
    await all.settle();
    t.equal(snapshots(), 1);
    a.pass(89);
    for (let each = 0; each < 20; each++) await ask(`z${each}`);
    await all.settle();
    t.equal(snapshots(), 1);
    a.pass(1);
    await all.settle();
    t.equal(snapshots(), 2, 'once for all of them');
    a.pass(1000);
    await all.settle();
    t.equal(snapshots(), 2);
    await ask('x');
    await all.settle();
    t.equal(snapshots(), 3, 'at once again');
  },
);

t.test('presence / telling takes several seconds → nobody asks again meanwhile', async (t) => {
  const all = new Neighbourhood(['a']);
  const asks = () => all.bus.texts.filter((text) => text.includes('"of":"c"')).length;
  all.bus.publish('c', changes('c', 1, [joined('room', 's1')], { begins: true }));
  await all.seconds(1);
  all.bus.publish('c', changes('c', 2, [joined('room', 's2')]));
  await all.seconds(1);
  all.bus.publish('c', changes('c', 3, [joined('room', 's3')]));
  await all.seconds(1);
  t.same(all.members('a', 'room'), []);
  all.bus.publish('c', changes('c', 4, [], { ends: true }));
  await all.seconds(1);
  t.same(all.members('a', 'room'), ['s1', 's2', 's3']);
  t.equal(asks(), 0);
});

t.test('presence / told again to a node that knows → what is new is there at once', async (t) => {
  const all = new Neighbourhood(['a']);
  all.bus.publish('c', changes('c', 1, [joined('room', 's1')], { begins: true, ends: true }));
  all.bus.publish('c', changes('c', 2, [joined('room', 's1')], { begins: true }));
  all.bus.publish('c', changes('c', 3, [joined('room', 's2')]));
  await all.settle();
  t.same(all.members('a', 'room'), ['s1', 's2']);
});

t.test('bus / nonsense → refused in words, nothing changes, nothing fails', async (t) => {
  const all = new Neighbourhood(['a']);
  const { node } = all.node('a');
  const good = JSON.parse(changes('c', 1, [joined('room', 'x')]));
  const bad = [
    '',
    'null',
    '{}',
    '{"v":1}',
    `"${'x'.repeat(300_000)}"`,
    '['.repeat(100_000),
    JSON.stringify({ ...good, v: 2 }),
    JSON.stringify({ ...good, number: -1 }),
    JSON.stringify({ ...good, more: true }),
    JSON.stringify({ ...good, items: [{ ...good.items[0], channel: 'not a channel' }] }),
    JSON.stringify({ ...good, items: [{ ...good.items[0], member: { session: 'x' } }] }),
    JSON.stringify({ ...good, items: [{ type: 'left', channel: 'room', session: 'x', cause: 'boredom' }] }),
    JSON.stringify({ ...good, items: Array(1001).fill(good.items[0]) }),
    '{"v":1,"node":"c","type":"beat","number":1e999}',
  ];
  for (const text of bad) all.bus.publish('c', text);
  await all.settle();
  t.same(all.node('a').refused, Array(bad.length).fill('bus: no news of a node'));
  t.equal(node.neighbours?.count, 0);
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((each) => JSON.stringify({ ...good, ...each })),
  );
  fc.assert(
    fc.property(text, (each) => {
      all.bus.publish('c', each);
      all.bus.deliver();
    }),
  );
  await all.settle();
  t.same(all.node('a').logged, []);
});

t.test('bus / more nodes than are heard of → told once a minute, and the others are heard', async (t) => {
  const all = new Neighbourhood(['a']);
  for (let each = 0; each < 300; each++)
    all.bus.publish('x', changes(`x${each}`, 1, [joined('room', `s${each}`)], { begins: true, ends: true }));
  await all.settle();
  t.equal(all.node('a').node.neighbours?.count, 256);
  t.equal(all.node('a').node.presence.list('room').count, 256);
  t.same(new Set(all.node('a').refused), new Set(['bus: more nodes than are heard of']));
});

t.test('bus / it throws → logged, and the node goes on', async (t) => {
  const all = new Neighbourhood(['a']);
  const fault = new Error('no connection');
  all.bus.publish = () => {
    throw fault;
  };
  const ann = all.peer('a');
  await ann.subscribe('room');
  await all.settle();
  t.same(all.node('a').logged, [{ error: fault, context: {} }]);
  t.same(all.members('a', 'room'), [ann.session.id]);
});

t.test('bus / what comes makes something fail here → logged, and the node goes on', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const watcher = all.peer('a', 'watcher');
  await watcher.subscribe('room', undefined, true);
  await all.settle();
  const fault = new Error('a bug in a carrier');
  watcher.carrier.write = () => {
    throw fault;
  };
  const bob = all.peer('b');
  await bob.subscribe('room');
  await all.settle();
  t.same(all.node('a').logged, [{ error: fault, context: {} }]);
  await all.peer('b').subscribe('hall');
  await all.settle();
  t.equal(all.members('a', 'hall').length, 1);
});

t.test('orders / lost on the way, whatever it is → carried out within two seconds', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const peers = ['ann', 'bob', 'eve'].map((user) => all.peer('b', user, { user, tokenId: `of ${user}` }));
  await all.peer('b').subscribe('room');
  await all.seconds(1);
  const { orders } = all.node('a').node;
  all.bus.copies = () => 0;
  orders.end({ session: peers[0]?.session.id ?? '' });
  orders.end({ user: 'bob' });
  orders.revoke({ tokenId: 'of eve' }, FOREVER);
  await all.settle();
  all.bus.copies = () => 1;
  await all.seconds(2);
  t.same(
    peers.map(({ carrier }) => carrier.closedWith?.code),
    [4403, 4403, 4401],
  );
});

t.test('bus / a member that other nodes would not take → is here, and is refused in words', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [ann, bob] = [all.peer('a', 'n'.repeat(300)), all.peer('a')];
  await ann.subscribe('room');
  await bob.subscribe('room');
  await all.settle();
  t.same(all.node('a').refused, ['joined: too large for other nodes']);
  t.same(all.members('b', 'room'), [bob.session.id]);
  await ann.cut();
  await all.seconds(1);
  t.same(all.members('b', 'room'), [bob.session.id]);
});

t.test('orders / a session of another node → ends there; what is returned is what was here', async (t) => {
  const all = new Neighbourhood(['a', 'b']);
  const [here, there] = [all.peer('a'), all.peer('b')];
  const { orders } = all.node('a').node;
  t.equal(orders.end({ session: here.session.id }), 1);
  await all.settle();
  t.notMatch(all.bus.texts.join('\n'), /"order"/, 'no other node has it');
  t.equal(orders.end({ session: there.session.id }), 0);
  await all.settle();
  for (const { carrier } of [here, there]) t.same(carrier.closedWith, { code: 4403, reason: 'forbidden' });
});

t.test(
  'orders / every session of a user, a subscription of theirs → everywhere, and of nobody else',
  async (t) => {
    const all = new Neighbourhood(['a', 'b', 'c']);
    const ofAnn = ['a', 'b', 'b'].map((name) => all.peer(name, 'ann', { user: 'ann' }));
    const bob = all.peer('b', 'bob', { user: 'bob' });
    for (const peer of [...ofAnn, bob]) for (const channel of ['x', 'y']) await peer.subscribe(channel);
    t.equal(all.node('a').node.orders.unsubscribe({ user: 'ann' }, 'x'), 1);
    await all.settle();
    for (const peer of ofAnn) {
      t.same(peer.of('unsubscribed'), [{ type: 'unsubscribed', channel: 'x', code: 'forbidden' }]);
      t.same([...peer.session.subscriptions.keys()], ['y']);
    }
    t.equal(all.node('c').node.orders.unsubscribe({ session: bob.session.id }, 'y'), 0);
    await all.settle();
    t.same([...bob.session.subscriptions.keys()], ['x']);
    t.equal(all.node('b').node.orders.end({ user: 'ann' }), 2);
    await all.settle();
    for (const peer of ofAnn) t.same(peer.carrier.closedWith, { code: 4403, reason: 'forbidden' });
    t.equal(bob.carrier.closedWith, undefined);
  },
);

t.test(
  'orders / a token or those of a user are revoked → sessions end, and it is refused everywhere',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const tokens = { tokenId: 't1', user: 'ann', issuedAt: 1 };
    const [ofToken, ofUser, other] = [
      all.peer('b', 'ann', tokens),
      all.peer('b', 'bob', { user: 'bob', tokenId: 't2', issuedAt: 1 }),
      all.peer('b', 'eve', { user: 'eve', tokenId: 't3', issuedAt: 1 }),
    ];
    const [a, b] = [all.node('a'), all.node('b')];
    t.equal(a.node.orders.revoke({ tokenId: 't1' }, FOREVER), 0);
    await all.settle();
    t.same(ofToken.carrier.closedWith, { code: 4401, reason: 'unauthenticated' });
    t.equal(a.node.orders.revoke({ user: 'bob' }, a.now + 10_000), 0);
    await all.settle();
    t.same(ofUser.carrier.closedWith, { code: 4401, reason: 'unauthenticated' });
    t.equal(other.carrier.closedWith, undefined);
    const bobs = identityOf('bob', { user: 'bob', issuedAt: 1 });
    t.same(
      [tokens, bobs].map((each) => b.node.revocations.has({ ...identityOf('x'), ...each }, b.now)),
      [true, true],
    );
    t.notOk(b.node.revocations.has(bobs, b.now + 10_000), 'until then');
    const known = b.node.revocations.size;
    a.node.orders.revoke({ user: 'eve' }, b.now);
    await all.settle();
    t.equal(b.node.revocations.size, known, 'what no longer matters takes no room');
    t.notOk(b.node.revocations.has({ ...bobs, issuedAt: a.now + 1 }, b.now), 'what was issued since');
  },
);

t.test(
  'orders / a node was cut off, or starts later → it learns what was revoked, from whoever knows',
  async (t) => {
    const all = new Neighbourhood(['a', 'b', 'c']);
    const ann = all.peer('c', 'ann', { user: 'ann', tokenId: 't1' });
    await all.settle();
    all.bus.cut.add('c');
    all.node('a').node.orders.revoke({ tokenId: 't1' }, FOREVER);
    await all.seconds(70);
    all.kill('a');
    await all.seconds(10);
    t.equal(ann.carrier.closedWith, undefined);
    all.bus.cut.delete('c');
    await all.seconds(2);
    t.same(ann.carrier.closedWith, { code: 4401, reason: 'unauthenticated' });
    const d = all.start('d');
    await all.settle();
    t.ok(d.node.revocations.has(identityOf('ann', { tokenId: 't1' }), d.now));
  },
);

t.test(
  'orders / a node was cut off for a moment → carries out what was ordered, on what began before',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const before = all.peer('b', 'ann', { user: 'ann' });
    await all.settle();
    all.bus.cut.add('b');
    all.node('a').node.orders.end({ user: 'ann' });
    await all.seconds(10);
    const since = all.peer('b', 'ann', { user: 'ann' });
    all.bus.cut.delete('b');
    await all.seconds(2);
    t.same(before.carrier.closedWith, { code: 4403, reason: 'forbidden' });
    t.equal(since.carrier.closedWith, undefined);
    all.bus.copies = () => 2;
    await all.peer('a').subscribe('room');
    await all.seconds(3);
    t.equal(since.carrier.closedWith, undefined, 'what is told again is not done again');
  },
);

t.test(
  'orders / told again to a node that has done it → a subscription that began since goes on',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const ann = all.peer('b', 'ann', { user: 'ann' });
    await ann.subscribe('room');
    await all.seconds(1);
    all.node('a').node.orders.unsubscribe({ user: 'ann' }, 'room');
    await all.settle();
    t.equal(ann.of('unsubscribed').length, 1);
    await ann.subscribe('room');
    all.bus.copies = () => 0;
    await all.peer('a').subscribe('room');
    await all.settle();
    all.bus.copies = () => 1;
    await all.seconds(2);
    t.equal(all.members('b', 'room').length, 2, 'everything was told again');
    t.equal(ann.of('unsubscribed').length, 1);
  },
);

t.test('orders / a minute has passed → forgotten, but for what is revoked', async (t) => {
  const all = new Neighbourhood(['a']);
  const { orders } = all.node('a').node;
  orders.end({ user: 'ann' });
  orders.revoke({ tokenId: 't1' }, FOREVER);
  orders.revoke({ tokenId: 't2' }, all.node('a').now + 1000);
  const types = () => [...orders.held()].map(({ type }) => type);
  t.same(types(), ['revoked', 'revoked', 'order']);
  await all.seconds(60);
  t.same(types(), ['revoked']);
  for (let each = 0; each < 1500; each++) orders.end({ user: `u${each}` });
  t.equal(types().length, 1001, 'of many, the last');
});

t.test(
  'orders / more revocations than are remembered → refused in words, and what is known holds',
  async (t) => {
    const all = new Neighbourhood(['a', 'b']);
    const [a, b] = [all.node('a'), all.node('b')];
    for (let each = 0; each < 100_000; each++) b.node.revocations.add({ tokenId: `t${each}` }, 1, FOREVER);
    a.node.orders.revoke({ user: 'ann' }, FOREVER);
    await all.settle();
    t.same(new Set(b.refused), new Set(['bus: more revocations than are remembered']));
    t.ok(b.node.revocations.has(identityOf('x', { tokenId: 't99999' }), b.now));
  },
);

interface JoinedItem {
  readonly type: 'joined';
  readonly channel: string;
  readonly member: { readonly session: string; readonly user: null; readonly name: string };
}

function joined(channel: string, session: string): JoinedItem {
  return { type: 'joined', channel, member: { session, user: null, name: session } };
}

function changes(node: string, number: number, items: readonly JoinedItem[], marks = {}): string {
  return JSON.stringify({ v: 1, node, type: 'changes', number, items, ...marks });
}
