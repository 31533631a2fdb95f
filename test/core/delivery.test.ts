import t from 'tap';
import type { Encoding } from '../../src/core/carrier.js';
import { PolicyTable } from '../../src/core/policy/table.js';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';
import { jsonEncoding } from '../../src/transport/websocket/encodings.js';
import { memoryStore, NOTHING_HELD, type Peer, Rig } from '../support/core.js';
import { AstrayStore, SlowStore } from '../support/fake-stores.js';
import { ruleOf } from '../support/policy.js';

/** A rig whose announcements go astray as told. */
function astray(options: ConstructorParameters<typeof Rig>[0] = {}) {
  let store: AstrayStore | undefined;
  const rig = new Rig({
    ...options,
    store: (parts) => {
      store = new AstrayStore(memoryStore({ ...parts, ...options.retention }));
      return store;
    },
  });
  if (store === undefined) throw new Error('no store was asked for');
  return { rig, store };
}

/** A rig whose store can be held up. */
function slow(options: ConstructorParameters<typeof Rig>[0] = {}) {
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

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

t.test('subscribe / now → the reply, then each message, with the position after it', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
  const { offset, resume } = await ann.subscribe('a');
  t.equal(resume, 'none');
  const published = await bob.publish('a', { text: 'hi' });
  t.ok(published.offset > offset);
  t.equal(published.duplicate, false);
  t.same(ann.types(), ['welcome', 'subscribed', 'message']);
  t.same(ann.of('message'), [
    {
      type: 'message',
      channel: 'a',
      offset: published.offset,
      from: 'bob',
      at: rig.now,
      data: { text: 'hi' },
    },
  ]);
  await bob.fence();
  t.same(bob.of('message'), [], 'who is not subscribed gets nothing');
});

t.test('subscribe / the publisher is subscribed itself → gets its own message as well', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await ann.subscribe('a');
  const { offset } = await ann.publish('a', 1);
  t.match(ann.of('message'), [{ offset, data: 1 }]);
});

t.test('subscribe / messages are published meanwhile → the reply comes before the first', async (t) => {
  for (const call of ['watch', 'open', 'read'] as const) {
    const { rig, store } = slow();
    const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
    const { offset } = await bob.publish('a', 0);
    const letGo = store.hold(call);
    const id = ann.send({ type: 'subscribe', channel: 'a', offset });
    await rig.settle();
    for (const each of [1, 2]) await bob.publish('a', each);
    t.equal(ann.answered(id), false);
    letGo();
    await rig.settle();
    await bob.publish('a', 3);
    t.same(
      ann.types(),
      ['welcome', 'subscribed', 'message', 'message', 'message'],
      `while it waits for ${call}`,
    );
    t.same(ann.data(), [1, 2, 3]);
    t.equal(ann.of('subscribed')[0]?.offset, offset, 'where it stood before the first of them');
  }
});

t.test('join / from the beginning → all that is kept, then what is new', async (t) => {
  const rig = new Rig({ retention: { messages: 3 } });
  const ann = rig.peer();
  await rig.append('a', 1, 2, 3, 4);
  const { resume } = await ann.subscribe('a', '-1');
  t.equal(resume, 'none');
  await rig.append('a', 5);
  await rig.settle();
  t.same(ann.data(), [2, 3, 4, 5]);
  t.same(rig.telemetry.gaps, [], 'what was never asked for is no gap');
});

t.test('join / more history than a page → all of it in order, while others publish', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await rig.append('a', ...range(1, 1200));
  const id = ann.send({ type: 'subscribe', channel: 'a', offset: '-1' });
  while (!ann.data().includes(1200)) {
    await rig.append('a', 0);
    rig.turn();
  }
  await rig.settle();
  t.equal(ann.answer(id).type, 'subscribed');
  const published = (await rig.node.store.open('a')).seq;
  t.equal(ann.data().length, published);
  t.same(ann.data().slice(0, 1200), range(1, 1200));
  const offsets = ann.of('message').map(({ offset }) => offset);
  t.same([...offsets].sort(), offsets);
  t.equal(new Set(offsets).size, published);
});

t.test('resume / all that follows is kept → complete, from the next message on', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await ann.subscribe('a');
  const [first = ''] = await rig.append('a', 1);
  await rig.settle();
  await ann.cut();
  await rig.append('a', 2, 3);
  const again = rig.peer();
  t.match(await again.subscribe('a', first), { offset: first, resume: 'complete' });
  await rig.append('a', 4);
  await rig.settle();
  t.same(again.data(), [2, 3, 4]);
  t.same(rig.telemetry.resumes, ['none', 'complete']);
});

t.test('resume / on a channel where nothing was ever published → has a position and resumes', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  const { offset } = await ann.subscribe('a');
  await ann.cut();
  await rig.append('a', 1);
  const again = rig.peer();
  t.match(await again.subscribe('a', offset), { offset, resume: 'complete' });
  t.same(again.data(), [1]);
});

t.test('resume / some of it is no longer kept → lost, and what is kept comes', async (t) => {
  const rig = new Rig({ retention: { messages: 2 } });
  const ann = rig.peer();
  const [first = ''] = await rig.append('a', 1, 2, 3, 4);
  const reply = await ann.subscribe('a', first);
  t.equal(reply.resume, 'lost');
  t.ok(reply.offset > first, 'it stands at what is kept');
  await rig.append('a', 5);
  await rig.settle();
  t.same(ann.data(), [3, 4, 5]);
  t.same(ann.of('gap'), [], 'told once, in the reply');
});

t.test('resume / the channel was deleted and made again → lost', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  const [first = ''] = await rig.append('a', 1);
  await rig.store.delete('a');
  await rig.append('a', 2);
  t.equal((await ann.subscribe('a', first)).resume, 'lost');
  t.same(ann.data(), [2]);
});

t.test('resume / beyond the tail, or what is no offset → bad_offset, and nothing is held', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  const { epoch } = await rig.store.open('a');
  for (const offset of [formatOffset(epoch, 9), 'yesterday', '']) {
    const reply = await ann.ask({ type: 'subscribe', channel: 'a', offset });
    t.match(reply, { type: 'error', code: 'bad_offset', advice: 'never' });
  }
  await ann.cut();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('live / messages of one turn → one write a reader, printed once', async (t) => {
  let printed = 0;
  const counting: Encoding<Uint8Array> = {
    ...jsonEncoding,
    messages: (channel, messages, upToDate) => {
      printed++;
      return jsonEncoding.messages(channel, messages, upToDate);
    },
  };
  const rig = new Rig();
  const readers = range(1, 20).map((each) => rig.peer(`reader ${each}`, {}, counting));
  for (const reader of readers) await reader.subscribe('a');
  const before = readers.map(({ carrier }) => carrier.writes);
  printed = 0;
  await rig.append('a', ...range(1, 50));
  await rig.settle();
  t.equal(printed, 1, '20 readers, 50 messages');
  t.same(
    readers.map(({ carrier }, at) => carrier.writes - (before[at] ?? 0)),
    readers.map(() => 1),
  );
  for (const reader of readers) t.same(reader.data(), range(1, 50));
  t.equal(rig.telemetry.out, 20 * 50);
});

t.test(
  'live / a channel whose messages gather for a while → one write a reader for all of them',
  async (t) => {
    const rules = [ruleOf('**'), ruleOf('busy', { flushMs: 20 })];
    const rig = new Rig({ policy: new PolicyTable(rules) });
    const reader = rig.peer('ann', { user: 'ann' });
    await reader.subscribe('busy');
    await reader.subscribe('quiet');
    const before = reader.carrier.writes;
    for (const each of range(1, 10)) {
      await rig.append('busy', each);
      await rig.settle();
      rig.pass(1);
    }
    await rig.append('quiet', 'at once');
    await rig.settle();
    t.same(reader.data(), ['at once'], 'another channel does not wait for it');
    const late = rig.peer('bob', { user: 'bob' });
    await late.subscribe('busy', '-1');
    t.same(late.data(), range(1, 10), 'who joins reads the log');
    rig.pass(10);
    t.same(reader.data('busy'), range(1, 10));
    t.equal(reader.carrier.writes - before, 2);
    await rig.append('busy', 'last');
    rig.pass(20);
    t.same(late.data(), [...range(1, 10), 'last'], 'each once');
    await rig.append('busy', 'before the end');
    await rig.store.close('busy');
    await rig.settle();
    t.same(
      reader.got.slice(-2).map(({ type }) => type),
      ['message', 'closed'],
      'an end does not wait',
    );
  },
);

t.test('live / readers of two encodings → printed once for each', async (t) => {
  const counts = [0, 0];
  const counting = (which: number): Encoding<Uint8Array> => ({
    ...jsonEncoding,
    messages: (channel, messages, upToDate) => {
      counts[which] = (counts[which] ?? 0) + 1;
      return jsonEncoding.messages(channel, messages, upToDate);
    },
  });
  const [one, other] = [counting(0), counting(1)];
  const rig = new Rig();
  const readers = [one, other, one, other].map((encoding) => rig.peer('ann', {}, encoding));
  for (const reader of readers) await reader.subscribe('a');
  await rig.append('a', 1);
  await rig.settle();
  t.same(counts, [1, 1]);
  for (const reader of readers) t.same(reader.data(), [1]);
});

t.test('live / joins in the middle of a turn → gets what is news to it, once', async (t) => {
  const rig = new Rig();
  const [ann, bob] = [rig.peer('ann'), rig.peer('bob')];
  await ann.subscribe('a');
  const [first = ''] = await rig.append('a', 1, 2);
  bob.send({ type: 'subscribe', channel: 'a', offset: first });
  for (let hops = 0; hops < 20; hops++) await Promise.resolve();
  t.same(bob.data(), [2], 'from the log');
  await rig.append('a', 3);
  t.same(ann.data(), [], 'the turn is not over');
  await rig.settle();
  t.same(ann.data(), [1, 2, 3]);
  t.same(bob.data(), [2, 3]);
  t.equal(rig.telemetry.out, 5);
});

t.test(
  'slow reader / does not read → is not buffered, others are served, gets all in order, goes live',
  async (t) => {
    const limits = { maxQueuedBytes: 10_000 };
    const rig = new Rig({ limits });
    const [slow, quick] = [rig.peer('slow'), rig.peer('quick')];
    await slow.subscribe('a');
    await quick.subscribe('a');
    slow.carrier.stall();
    for (const each of range(1, 500)) {
      await rig.append('a', `${each} ${'x'.repeat(1000)}`);
      await rig.settle();
    }
    t.equal(quick.data().length, 500);
    t.equal(slow.data().length, 0);
    t.ok(
      slow.carrier.mostQueuedBytes < limits.maxQueuedBytes + 2000,
      `${slow.carrier.mostQueuedBytes} bytes`,
    );
    t.equal(rig.telemetry.timesBehind, 1, 'it fell behind once');
    slow.carrier.drain();
    await rig.settle();
    const numbers = slow.data().map((each) => Number.parseInt(String(each), 10));
    t.same(numbers, range(1, 500));
    const writes = slow.carrier.writes;
    await rig.append('a', 'live again');
    t.equal(slow.carrier.writes, writes, 'at the end of the turn, with everyone');
    await rig.settle();
    t.equal(slow.data().at(-1), 'live again');
    t.equal(rig.telemetry.out, 2 * 501);
    t.same(slow.of('gap'), []);
  },
);

t.test('slow reader / catches up through pages that find no room → each message once', async (t) => {
  const rig = new Rig({ limits: { maxQueuedBytes: 5000 } });
  const ann = rig.peer();
  await rig.append('a', ...range(1, 2000).map((each) => `${each} ${'x'.repeat(500)}`));
  ann.carrier.stall();
  ann.send({ type: 'subscribe', channel: 'a', offset: '-1' });
  let rounds = 0;
  for (; ann.data().length < 2000 && rounds < 100; rounds++) {
    await rig.settle();
    ann.carrier.drain();
    ann.carrier.stall();
  }
  t.ok(rounds > 5, `${rounds} rounds`);
  t.ok(ann.carrier.mostQueuedBytes < 5000 + 2 * 128 * 1024, `${ann.carrier.mostQueuedBytes} bytes`);
  t.same(
    ann.data().map((each) => Number.parseInt(String(each), 10)),
    range(1, 2000),
  );
});

t.test(
  'slow reader / finds no room when its subscribe is done → the reply, and the messages later',
  async (t) => {
    const { rig, store } = slow();
    const ann = rig.peer();
    await rig.append('a', 1, 2);
    const letGo = store.hold('read');
    ann.send({ type: 'subscribe', channel: 'a', offset: '-1' });
    await rig.settle();
    ann.carrier.fill();
    const { writes } = ann.carrier;
    letGo();
    await rig.settle();
    t.equal(ann.carrier.writes, writes + 1);
    ann.carrier.drain();
    await rig.settle();
    t.same(ann.types(), ['welcome', 'subscribed', 'message', 'message']);
    t.same(ann.data(), [1, 2]);
  },
);

t.test('slow reader / one of many in a feed → the others miss nothing', async (t) => {
  const rig = new Rig();
  const readers = range(0, 9).map((each) => rig.peer(`reader ${each}`));
  for (const reader of readers) await reader.subscribe('a');
  for (const [at, reader] of readers.entries()) {
    reader.carrier.fill();
    await rig.append('a', at);
    await rig.settle();
  }
  for (const reader of [...readers].reverse()) reader.carrier.drain();
  await rig.append('a', 10);
  await rig.settle();
  for (const reader of readers) t.same(reader.data(), range(0, 10));
  t.equal(rig.telemetry.timesBehind, 10);
});

t.test('slow reader / retention passes it by → exactly one gap, then what is kept', async (t) => {
  const rig = new Rig({ retention: { messages: 5 } });
  const ann = rig.peer();
  await ann.subscribe('a');
  const [first] = await rig.append('a', 1);
  await rig.settle();
  ann.carrier.fill();
  const offsets = await rig.append('a', ...range(2, 20));
  await rig.settle();
  ann.carrier.drain();
  await rig.append('a', 21);
  await rig.settle();
  t.same(ann.types(), ['welcome', 'subscribed', 'message', 'gap', ...range(1, 6).map(() => 'message')]);
  t.same(ann.data(), [1, ...range(16, 21)]);
  const [gap] = ann.of('gap');
  const next = ann.of('message')[1];
  t.equal(gap?.reason, 'retention');
  t.equal(gap?.offset, offsets[offsets.indexOf(next?.offset ?? '') - 1], 'where reading goes on');
  t.ok((gap?.offset ?? '') > (first ?? ''));
  t.same(rig.telemetry.gaps, ['retention']);
});

t.test('retention of nothing / a live reader → gets all; one that was behind → a gap', async (t) => {
  const rig = new Rig({ retention: { messages: 0 } });
  const [live, slow] = [rig.peer('live'), rig.peer('slow')];
  await live.subscribe('a');
  await slow.subscribe('a');
  slow.carrier.fill();
  for (const each of [1, 2, 3]) {
    await rig.append('a', each);
    await rig.settle();
  }
  slow.carrier.drain();
  await rig.settle();
  await rig.append('a', 4);
  await rig.settle();
  t.same(live.data(), [1, 2, 3, 4]);
  t.same(slow.data(), [4]);
  t.match(slow.of('gap'), [{ reason: 'retention', offset: live.of('message')[2]?.offset }]);
  t.same(live.of('gap'), []);
});

t.test('delete / live, catching up and stuck readers → unsubscribed, gone; may come back', async (t) => {
  const { rig, store } = slow();
  const [live, behind, stuck] = [rig.peer('live'), rig.peer('behind'), rig.peer('stuck')];
  for (const peer of [live, stuck]) await peer.subscribe('a');
  await rig.append('a', 1);
  await rig.settle();
  stuck.carrier.fill();
  await behind.subscribe('a');
  behind.carrier.fill();
  await rig.append('a', 2);
  await rig.settle();
  const letGo = store.hold('read');
  behind.carrier.drain();
  await rig.store.delete('a');
  letGo();
  await rig.settle();
  stuck.carrier.drain();
  for (const peer of [live, behind, stuck]) {
    t.same(peer.got.at(-1), { type: 'unsubscribed', channel: 'a', code: 'gone' });
    t.equal(peer.of('unsubscribed').length, 1);
  }
  t.match(rig.held(), { channels: 0, subscriptions: 0 });
  await live.subscribe('a', live.of('message')[0]?.offset);
  await rig.append('a', 'of the next life');
  await rig.settle();
  t.equal(live.data().at(-1), 'of the next life');
});

t.test(
  'one turn / brings more than a write holds → several writes, and a reader that is full falls back',
  async (t) => {
    const rig = new Rig({ limits: { maxQueuedBytes: 100_000 } });
    const [reads, stalls] = [rig.peer('reads'), rig.peer('stalls')];
    await reads.subscribe('a');
    await stalls.subscribe('a');
    stalls.carrier.stall();
    const sizes = Array.from({ length: 100 }, (_, at) => `${at} ${'x'.repeat(10_000)}`);
    await rig.append('a', ...sizes);
    await rig.settle();
    t.same(reads.data(), sizes);
    t.ok(stalls.carrier.mostQueuedBytes < 300_000, `${stalls.carrier.mostQueuedBytes} bytes`);
    for (let rounds = 0; rounds < 20; rounds++) {
      stalls.carrier.drain();
      await rig.settle();
    }
    t.same(stalls.data(), sizes);
  },
);

t.test(
  'delete / between the reply and the first page → told of a gap, then gets the next life',
  async (t) => {
    const rig = new Rig();
    const ann = rig.peer();
    const [first = ''] = await rig.append('a', 1, 2);
    const { feed, page } = await pageOf(rig, ann, first);
    await rig.store.delete('a');
    ann.session.subscribed(feed);
    feed.begin(page);
    await rig.settle();
    await rig.append('a', 3);
    await rig.settle();
    t.same(ann.data().at(-1), 3);
    t.same(
      ann.of('gap').map(({ reason }) => reason),
      ['reset'],
    );
  },
);

t.test('delete / while a subscribe is in flight → subscribed to the next life, and told so', async (t) => {
  for (const call of ['watch', 'open', 'read'] as const) {
    const { rig, store } = slow();
    const ann = rig.peer();
    const [first = ''] = await rig.append('a', 1, 2);
    const letGo = store.hold(call);
    ann.send({ type: 'subscribe', channel: 'a', offset: first });
    await rig.settle();
    await rig.store.delete('a');
    letGo();
    await rig.settle();
    await rig.append('a', 3);
    await rig.settle();
    const lost = ann.of('subscribed')[0]?.resume === 'lost';
    const told = lost || ann.types().includes('gap') || ann.types().includes('unsubscribed');
    t.ok(told, `while it waits for ${call}: told that something is gone`);
    const isSubscribed = !ann.types().includes('unsubscribed');
    t.equal(ann.data().includes(3), isSubscribed, 'and who is subscribed gets what comes');
    await ann.cut();
    t.same(rig.held(), NOTHING_HELD);
  }
});

t.test('close / live and slow readers → closed, after the last message', async (t) => {
  const rig = new Rig();
  const [live, slow] = [rig.peer('live'), rig.peer('slow')];
  await live.subscribe('a');
  await slow.subscribe('a');
  slow.carrier.fill();
  const offsets = await rig.append('a', 1, 2);
  const tail = await rig.store.close('a');
  await rig.settle();
  t.match(rig.held(), { channels: 1, subscriptions: 1 }, 'the slow one has not read it all');
  slow.carrier.drain();
  await rig.settle();
  for (const peer of [live, slow]) {
    t.same(peer.data(), [1, 2]);
    t.same(peer.got.at(-1), { type: 'closed', channel: 'a', offset: formatOffset(tail.epoch, tail.seq) });
  }
  t.equal(offsets[1], formatOffset(tail.epoch, tail.seq), 'at the offset of the last message');
  t.match(rig.held(), { channels: 0, subscriptions: 0 });
  t.match(await live.ask({ type: 'publish', channel: 'a', data: 3 }), { code: 'closed', advice: 'never' });
  t.match(await live.ask({ type: 'unsubscribe', channel: 'a' }), { code: 'not_found' });
});

t.test('close / in the very moment in which a reader goes live → it is told all the same', async (t) => {
  for (let hops = 0; hops < 8; hops++) {
    const rig = new Rig();
    const close = async () => {
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
      await rig.store.close('a');
    };
    let armed = false;
    const closing: Encoding<Uint8Array> = {
      ...jsonEncoding,
      messages: (channel, messages, upToDate) => {
        if (armed) queueMicrotask(() => void close());
        armed = false;
        return jsonEncoding.messages(channel, messages, upToDate);
      },
    };
    const ann = rig.peer('ann', {}, closing);
    await ann.subscribe('a');
    ann.carrier.fill();
    await rig.append('a', 1);
    await rig.settle();
    armed = true;
    ann.carrier.drain();
    await rig.settle();
    t.same(
      ann.types(),
      ['welcome', 'subscribed', 'message', 'closed'],
      `after ${hops} turns of the promises`,
    );
  }
});

t.test('close / subscribed to later → the reply, what is kept, closed', async (t) => {
  const rig = new Rig();
  const ann = rig.peer();
  await rig.append('a', 1);
  await rig.store.close('a');
  await ann.subscribe('a', '-1');
  t.same(ann.types(), ['welcome', 'subscribed', 'message', 'closed']);
  await ann.cut();
  t.same(rig.held(), NOTHING_HELD);
});

t.test('announcements / one is lost → with the next both come, in order', async (t) => {
  const { rig, store } = astray();
  const ann = rig.peer();
  await ann.subscribe('a');
  await rig.append('a', 1);
  store.fate = ({ seq }) => (seq === 2 ? 'lost' : 'prompt');
  await rig.append('a', 2);
  await rig.settle();
  t.same(ann.data(), [1]);
  await rig.append('a', 3, 4);
  await rig.settle();
  t.same(ann.data(), [1, 2, 3, 4]);
});

t.test('announcements / of what has come already → the log is not read for them', async (t) => {
  const { rig, store } = astray();
  const ann = rig.peer();
  await ann.subscribe('a');
  store.fate = ({ seq }) => (seq < 3 ? 'twice' : 'prompt');
  await rig.append('a', 1, 2, 3);
  await rig.settle();
  const { reads } = store;
  store.fate = () => 'twice';
  await rig.append('a', 4, 5);
  await rig.settle();
  t.equal(store.reads, reads);
  t.same(ann.data(), [1, 2, 3, 4, 5]);
});

t.test('announcements / twice, late, in any order, of a former life → each message once', async (t) => {
  const { rig, store } = astray();
  const ann = rig.peer();
  await ann.subscribe('a');
  store.fate = ({ seq }) => (seq % 2 === 0 ? 'late' : 'twice');
  await rig.append('a', 1, 2, 3, 4, 5);
  await rig.settle();
  store.comeLate((late) => late.reverse());
  await rig.settle();
  t.same(ann.data(), [1, 2, 3, 4, 5]);
  await rig.append('a', 6);
  await rig.store.delete('a');
  await rig.settle();
  store.fate = () => 'prompt';
  await ann.subscribe('a', '-1');
  await rig.append('a', 'new');
  store.comeLate();
  await rig.settle();
  await rig.append('a', 'newer');
  await rig.settle();
  t.same(ann.data().slice(-2), ['new', 'newer']);
  t.equal(ann.data().length, 7, '6 was told of to nobody: it went with the log');
});

t.test('announcements / of a life that nobody was told of → a gap, then that life', async (t) => {
  const { rig, store } = astray();
  const ann = rig.peer();
  await ann.subscribe('a');
  await rig.append('a', 1, 2);
  await rig.settle();
  store.tellsOfDeletes = false;
  store.fate = () => 'lost';
  await rig.store.delete('a');
  const offsets = await rig.append('a', 'other 1', 'other 2');
  store.fate = () => 'prompt';
  const bob = rig.peer('bob');
  await bob.subscribe('a', '-1');
  await rig.append('a', 'other 3');
  await rig.settle();
  t.same(bob.data(), ['other 1', 'other 2', 'other 3']);
  t.same(ann.data(), [1, 2, 'other 1', 'other 2', 'other 3']);
  t.match(ann.of('gap'), [{ reason: 'reset' }]);
  t.ok((ann.of('gap')[0]?.offset ?? 'z') < (offsets[0] ?? ''));
});

/** A subscription that was made and has not begun, as it is for a moment within every subscribe. */
async function pageOf(rig: Rig, peer: Peer, offset: string) {
  const { subscription, page } = await rig.node.hub.subscribe(peer.session, 'a', parseOffset(offset), false);
  return { feed: subscription, page };
}
