import t from 'tap';
import type { Start } from '../../src/protocol/offset.js';
import { BEGINNING } from '../../src/protocol/version.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { Closed, Fenced, OutOfSequence } from '../../src/store/refusals.js';
import { KEEP_EVERYTHING } from '../../src/store/retention.js';
import type { Retention } from '../../src/store/store.js';
import { json, raw, textOf, watcher } from '../contract/desk.js';
import { storeContract } from '../contract/store.js';
import { Wrapped } from '../support/fake-stores.js';
import { SharedScene, settled } from '../support/store-links.js';
import { storeProcess } from '../support/store-processes.js';

// Every step goes to another process and back.
t.setTimeout(120_000);

t.test('SharedStore / the store of another process → the contract of every store', async (t) => {
  storeContract(t, storeProcess(t));
});

const BOUND = { messages: 10, bytes: 1e6 };

/** A store that notes what is asked of it. */
class Noted extends Wrapped {
  readonly asked: string[] = [];

  override read(channel: string, start: Start, bound: typeof BOUND) {
    this.asked.push(`read ${channel}`);
    return super.read(channel, start, bound);
  }
  override watch(channel: string, hears: Parameters<Wrapped['watch']>[1]) {
    this.asked.push(`watch ${channel}`);
    return super.watch(channel, hears);
  }
  override sweep() {
    this.asked.push('sweep');
    return super.sweep();
  }
}

function scene(retention: Retention = KEEP_EVERYTHING) {
  const memory = new MemoryStore({ retention: () => retention });
  const noted = new Noted(memory);
  return { memory, noted, shared: new SharedScene(noted) };
}

t.test('calls / many in one turn → go together, and so do their answers and the news', async (t) => {
  const { shared } = scene();
  const { store, near, far } = shared.join();
  const heard: number[] = [];
  await store.watch('a', watcher({ appended: ({ seq }) => heard.push(seq) }));
  const before = [near.came.length, far.came.length];
  await Promise.all(Array.from({ length: 50 }, (_, at) => store.append('a', [json(at)])));
  t.same(
    [near.came.length, far.came.length],
    before.map((count) => count + 1),
    'one each way',
  );
  t.same(
    heard,
    Array.from({ length: 50 }, (_, at) => at + 1),
    'heard before the answers were read',
  );
});

t.test('refusals / over the link → are what they were', async (t) => {
  const { shared } = scene();
  const { store } = shared.join();
  const producer = (epoch: number, seq: number) => ({ producer: { id: 'p', epoch, seq } });
  await store.append('a', [json(1)], producer(1, 0));
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );
  const fenced = await refusal(store.append('a', [json(1)], producer(0, 0)));
  t.ok(fenced instanceof Fenced);
  t.match(fenced, { epoch: 1, code: 'fenced' });
  const skipped = await refusal(store.append('a', [json(1)], producer(1, 5)));
  t.ok(skipped instanceof OutOfSequence);
  t.match(skipped, { expected: 1, received: 5, beginsEpoch: false });
  await store.close('a');
  const closed = await refusal(store.append('a', [json(1)]));
  t.ok(closed instanceof Closed);
  t.match(closed, { offset: (await store.stat('a'))?.offset, code: 'closed' });
  const unknown = await refusal(store.append('b', [json(1)], { creates: false }));
  t.match(unknown, { name: 'Refused', code: 'not_found', details: undefined });
});

t.test('an error that is no refusal → comes with its words, and is none there either', async (t) => {
  class Broken extends Wrapped {
    override async ping(): Promise<void> {
      throw new TypeError('the disk is gone');
    }
    override async stat(): Promise<undefined> {
      throw 'a text'; // as a careless store may
    }
  }
  const { store } = new SharedScene(new Broken(new MemoryStore())).join();
  await t.rejects(store.ping(), { name: 'Error', message: 'the disk is gone', stack: /shared\.test/ });
  await t.rejects(store.stat('a'), { message: 'a text' });
});

t.test(
  'arguments / with more in them than a store is told → only that goes to the other process',
  async (t) => {
    const { shared } = scene();
    const { store, far } = shared.join();
    const more = { secret: 'of the caller', also: () => {} }; // a function can't be copied
    const producer = { id: 'p', epoch: 0, seq: 0, ...more };
    const message = { ...json(1), ...more };
    const lifetime = { ttlSeconds: 60, ...more };
    const creation = { contentType: 'application/json', closed: false, whole: true, ...more };
    await store.create('a', { ...creation, lifetime, messages: [message] });
    const { epoch } = await store.open('a');
    const start = { epoch, seq: 0, ...more };
    await store.append('a', [message], { creates: true, order: 'a', producer, ...more });
    await store.create('b', { fork: { source: 'a', start, skip: 1, ...more } });
    t.match(await store.stat('a'), { messages: 2, lifetime: { ttlSeconds: 60 } });
    t.equal((await store.read('b', start, { ...BOUND, ...more })).messages.length, 1);
    t.match(await store.append('a', [message], { closes: true, ...more }), { closed: true });
    t.notMatch(JSON.stringify(far.came), /of the caller/);
  },
);

t.test('bytes / changed by who handed them over → are stored as they were', async (t) => {
  const { shared } = scene();
  const { store } = shared.join();
  const message = raw('as it was');
  const type = { contentType: 'text/plain' };
  const made = store.create('a', { ...type, messages: [message] });
  const appended = store.append('a', [message], type);
  message.data.fill(0);
  await Promise.all([made, appended]);
  const { messages } = await store.read('a', BEGINNING, BOUND);
  t.same(messages.map(textOf), ['as it was', 'as it was']);
});

t.test(
  'watch / many in one process → the store is watched once, and no more when the last has left',
  async (t) => {
    const { shared, noted } = scene();
    const { store } = shared.join();
    const heard: string[] = [];
    const hears = (name: string) => watcher({ appended: () => heard.push(name) });
    const [first, second] = await Promise.all([
      store.watch('a', hears('first')),
      store.watch('a', hears('second')),
    ]);
    t.same(noted.asked, ['watch a']);
    first();
    await store.append('a', [json(1)]);
    t.same(heard, ['second']);
    second();
    second();
    await store.append('a', [json(2)]);
    await store.watch('a', hears('third'));
    await store.append('a', [json(3)]);
    t.same(heard, ['second', 'third']);
    t.same(noted.asked, ['watch a', 'watch a']);
  },
);

t.test('watch / refused → nobody watches, and the next one asks again', async (t) => {
  let refuses = true;
  class Refusing extends Wrapped {
    override async watch(...args: Parameters<Wrapped['watch']>) {
      if (refuses) throw new Error('not now');
      return super.watch(...args);
    }
  }
  const { store } = new SharedScene(new Refusing(new MemoryStore())).join();
  const heard: number[] = [];
  const hears = watcher({ appended: ({ seq }) => heard.push(seq) });
  const two = [store.watch('a', hears), store.watch('a', hears)];
  for (const each of two) await t.rejects(each, { message: 'not now' });
  refuses = false;
  await store.watch('a', hears);
  await store.append('a', [json(1)]);
  t.same(heard, [1], 'once');
});

t.test(
  'a process that is gone → its watches have ended, and what it asked for is not answered',
  async (t) => {
    const { shared, memory, noted } = scene();
    const gone = shared.join();
    const stays = shared.join();
    const heard: string[] = [];
    await gone.store.watch('a', watcher({ appended: () => heard.push('gone') }));
    await stays.store.watch('a', watcher({ appended: () => heard.push('stays') }));
    const asked = gone.store.append('a', [json(1)]);
    const watched = gone.store.watch('b', watcher({ appended: () => heard.push('late') }));
    gone.leave();
    await settled();
    await memory.append('a', [json(2)]);
    await memory.append('b', [json(2)]);
    await settled();
    t.same(heard, ['stays']);
    t.equal(gone.near.came.length, 1, 'nothing is sent to it any more');
    const outcomes = Promise.allSettled([asked, watched]);
    await gone.store.end();
    const unavailable = { reason: { code: 'unavailable' } };
    t.match(await outcomes, [unavailable, unavailable]);
    await t.rejects(gone.store.ping(), { code: 'unavailable' });
    t.same(noted.asked, ['watch a', 'watch a']);
  },
);

t.test('sweep / by several processes → is done for the eldest, for all of them', async (t) => {
  const { shared, noted } = scene();
  const [eldest, second] = [shared.join(), shared.join()];
  for (const { store } of [eldest, second, second, eldest]) await store.sweep();
  t.same(noted.asked, ['sweep', 'sweep']);
  eldest.leave();
  await second.store.sweep();
  t.equal(noted.asked.length, 3);
});

t.test('read / of many at once → a few at a time, and the same page once', async (t) => {
  const { shared, noted } = scene();
  const { store, near } = shared.join();
  const { epoch } = await store.open('a');
  await store.append('a', [json(1), json(2)]);
  const pages = await Promise.all(Array.from({ length: 500 }, () => store.read('a', BEGINNING, BOUND)));
  t.ok(pages.every(({ messages }) => messages.length === 2));
  t.equal(noted.asked.length, 33, 'those that were under way, and one for all who waited');
  noted.asked.length = 0;
  const starts: Start[] = [BEGINNING, 'now', { epoch, seq: 0 }, { epoch, seq: 1 }];
  const bounds = [BOUND, { messages: 1, bytes: 1e6 }];
  const answers = near.came.length;
  const different = await Promise.all(
    Array.from({ length: 40 }, () =>
      starts.flatMap((start) => bounds.map((bound) => store.read('a', start, bound))),
    ).flat(),
  );
  t.same(
    different.slice(-8).map(({ messages }) => messages.length),
    [2, 1, 0, 0, 2, 1, 1, 1],
  );
  t.equal(noted.asked.length, 32 + 8);
  t.ok(near.came.length - answers >= 2, 'never all in one piece');
});

t.test(
  'news / for one that takes nothing → its memory is bounded, and it hears how it is in the end',
  async (t) => {
    const { shared, memory } = scene();
    const { store, far } = shared.join();
    const heard: string[] = [];
    for (const channel of ['a', 'b', 'c']) {
      await store.watch(
        channel,
        watcher({
          appended: ({ seq }) => heard.push(`${channel} ${seq}`),
          closed: ({ seq }) => heard.push(`${channel} closed at ${seq}`),
          deleted: () => heard.push(`${channel} deleted`),
        }),
      );
    }
    far.hold();
    const large = { from: 'ann', data: JSON.stringify('x'.repeat(1024 * 1024)) };
    for (let count = 0; count < 20; count++) await memory.append('a', [large]);
    await settled();
    for (let count = 0; count < 20; count++) await memory.append('a', [large]);
    await memory.append('b', [json(1)]);
    await memory.close('b');
    await memory.append('c', [json(1)]);
    await memory.close('c');
    await memory.delete('c');
    await memory.append('c', [json(1), json(2)]);
    far.pass();
    await settled();
    const ofA = heard.filter((each) => each.startsWith('a '));
    t.ok(ofA.length < 30, `${ofA.length} of 40 messages were kept for it`);
    t.equal(ofA.at(-1), 'a 40', 'the last of them is');
    t.same(
      heard.filter((each) => !each.startsWith('a ')),
      ['b 1', 'b closed at 1', 'c deleted', 'c 2'],
    );
    await memory.append('a', [json(41)]);
    await settled();
    t.equal(heard.at(-1), 'a 41', 'and then all goes on');
  },
);
