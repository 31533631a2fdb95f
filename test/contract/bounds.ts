import type { Test } from 'tap';
import type { StoredMessage } from '../../src/store/message.js';
import type { StoreOptions } from '../../src/store/options.js';
import { DEFAULT_RETENTION, KEEP_EVERYTHING } from '../../src/store/retention.js';
import type { Retention, Store } from '../../src/store/store.js';

/** A store with the bounds of the stores that come with Earshot. */
export type MakeBounded = (options: StoreOptions) => Store | Promise<Store>;

const ALL = { messages: 1e9, bytes: 1e9 };
const SILENT = { appended: () => {}, closed: () => {}, deleted: () => {}, moved: () => {} };
const message = (data: string) => [{ from: 'ann', data }];
/** A message that takes 100 bytes of a store's room beside the 200 that each takes. */
const piece = () => ({ from: '', data: '1'.repeat(100) });
const FULL = { name: 'Refused', code: 'unavailable' };

/**
 * What the stores that come with Earshot do at the bounds that they are given. `hasRoomOfItsOwn` is false for one whose room is
 * bounded by the server that it is in.
 */
export function boundsContract(
  t: Test,
  makeStore: MakeBounded,
  { hasRoomOfItsOwn = true }: { readonly hasRoomOfItsOwn?: boolean } = {},
): void {
  const desk: BoundedDesk = async (t, options = {}) => {
    const clock = { ms: 1_800_000_000_000 };
    const store = await makeStore({ ...options, now: () => clock.ms });
    t.teardown(() => store.end());
    const read = async (channel: string) =>
      (await store.read(channel, '-1', ALL)).messages.map(({ data }) => data);
    return { store, clock, read };
  };
  if (hasRoomOfItsOwn) t.test('room', (t) => roomContract(t, desk));
  t.test('count', (t) => countContract(t, desk));
  t.test('what is kept', (t) => keptContract(t, desk));
  t.test('producers', (t) => producersContract(t, desk));
}

type BoundedDesk = (
  t: Test,
  options?: Omit<StoreOptions, 'now'>,
) => Promise<{
  store: Store;
  clock: { ms: number };
  read: (channel: string) => Promise<StoredMessage['data'][]>;
}>;

async function roomContract(t: Test, desk: BoundedDesk): Promise<void> {
  t.test(
    'store / full → a channel gives up its own oldest; what finds no room even so is unavailable',
    async (t) => {
      const { store, read } = await desk(t, { maxBytes: 800 });
      const text = (size: number) => [{ from: '', data: JSON.stringify('x'.repeat(size - 2)) }];
      await store.append('a', text(60));
      for (const _ of [1, 2, 3]) await store.append('b', text(20));
      t.equal((await read('b')).length, 2, 'its own oldest is gone');
      t.equal((await read('a')).length, 1, 'the other keeps its message');
      await t.rejects(store.append('b', text(400)), { name: 'Refused', code: 'unavailable' });
      t.equal((await read('b')).length, 2, 'a refusal costs nothing');
      await store.delete('a');
      await store.append('b', text(60));
      t.equal((await read('b')).length, 3, 'there is room again');
    },
  );

  t.test('store / full, a channel that is kept whole → is refused room rather than cut', async (t) => {
    const { store, read } = await desk(t, { maxBytes: 1000 });
    await store.create('whole', { whole: true, messages: [piece(), piece()] });
    await store.append('cut', [piece()]);
    await t.rejects(store.append('whole', [piece()]), FULL);
    await t.rejects(
      store.append('whole', [piece()], { closes: true, producer: { id: 'p', epoch: 0, seq: 0 } }),
      FULL,
    );
    await store.append('cut', [piece()]);
    t.same([(await read('whole')).length, (await read('cut')).length], [2, 1], 'the other gives up its own');
    await store.delete('cut');
    const producer = { id: 'p', epoch: 0, seq: 0 };
    t.match(await store.append('whole', [piece()], { producer }), { duplicate: false, closed: false });
    t.equal((await read('whole')).length, 3);
  });

  t.test('store / no room for what a channel is made with → nothing of it is there', async (t) => {
    const { store, read } = await desk(t, { maxBytes: 1000, maxChannels: 4 });
    const { epoch } = await store.open('blank');
    await store.create('a', { whole: true, messages: [piece(), piece()] });
    const two = [piece(), piece()];
    for (const channel of ['blank', 'new']) await t.rejects(store.create(channel, { messages: two }), FULL);
    await t.rejects(store.create('new', { messages: two, closed: true, whole: true }), FULL);
    await t.rejects(store.create('new', { fork: { source: 'a' } }), FULL, 'what a fork takes over counts');
    const half = { whole: true, fork: { source: 'a', start: '-1', skip: 1 }, messages: [piece()] } as const;
    await t.rejects(store.create('new', half), FULL);
    t.same(await store.list('', 10), ['a']);
    t.same(await store.stat('new'), undefined);
    t.same(await store.open('blank'), { epoch, seq: 0, closed: false });
    await store.append('a', [piece()]);
    await store.delete('a');
    t.equal(await store.stat('a'), undefined, 'no fork holds it');
    await store.create('new', { messages: [piece(), piece(), piece()] });
    t.equal((await read('new')).length, 3, 'all the room is there');
  });

  t.test(
    'store / too many channels for one more that is made → it takes no room, and holds no source',
    async (t) => {
      const { store, read } = await desk(t, { maxBytes: 1000, maxChannels: 1 });
      await store.create('a', { messages: [piece()] });
      const tooMany = { name: 'Refused', code: 'too_many' };
      for (const creation of [{}, { messages: [piece()] }, { fork: { source: 'a' } }, { closed: true }])
        await t.rejects(store.create('b', creation), tooMany);
      await store.append('a', [piece(), piece()]);
      t.equal((await read('a')).length, 3, 'there is room for all that fits');
      await store.delete('a');
      t.match(await store.create('b'), { created: true });
    },
  );

  t.test('store / forks and their sources, deleted in any order → all the room is free again', async (t) => {
    const { store, read } = await desk(t, { maxBytes: 3000 });
    const orders = ['abcd', 'dcba', 'bdac', 'cabd', 'badc'];
    for (const order of orders) {
      await store.create('a', { whole: true, messages: [piece(), piece()] });
      await store.create('b', { whole: true, fork: { source: 'a', start: '-1', skip: 1 } });
      await store.create('c', { whole: true, fork: { source: 'b' }, messages: [piece()] });
      await store.create('d', { whole: true, fork: { source: 'c' } });
      for (const channel of order) await store.delete(channel);
      t.same(await store.list('', 10), []);
      await store.create('e', { whole: true, messages: Array.from({ length: 10 }, piece) });
      t.equal((await read('e')).length, 10, order);
      await t.rejects(store.append('e', [piece()]), FULL);
      await store.delete('e');
    }
  });

  t.test('store / a part of a message is taken over → it takes its own room', async (t) => {
    const { store } = await desk(t, { maxBytes: 1000 });
    const type = { contentType: 'text/plain' };
    await store.create('a', { ...type, messages: [{ from: '', data: Buffer.alloc(300) }] });
    await store.create('b', { whole: true, fork: { source: 'a', start: '-1', skip: 100 } });
    t.match(await store.stat('b'), { messages: 1, bytes: 100 });
    const other = (bytes: number) =>
      store.create('c', { whole: true, ...type, messages: [{ from: '', data: Buffer.alloc(bytes) }] });
    await t.rejects(other(1), FULL);
    await t.rejects(store.create('c', { fork: { source: 'a', start: '-1', skip: 1 } }), FULL);
    await store.delete('b');
    await other(300);
  });
}

async function countContract(t: Test, desk: BoundedDesk): Promise<void> {
  t.test('channels / one more than the bound → too_many, and those that are there work on', async (t) => {
    const { store } = await desk(t, { maxChannels: 2 });
    await store.append('a', message('1'));
    await store.append('b', message('1'));
    const refused = { name: 'Refused', code: 'too_many' };
    await t.rejects(store.open('c'), refused);
    await t.rejects(store.append('c', message('1')), refused);
    await t.rejects(store.read('c', 'now', ALL), refused);
    await t.rejects(store.close('c'), refused);
    await store.append('b', message('1'));
    await store.delete('a');
    await store.append('c', message('there is room again'));
  });

  t.test('channels / no room, but one that nobody wrote to or looks at → gives way', async (t) => {
    const { store } = await desk(t, { maxChannels: 3 });
    const watched = await store.open('watched');
    await store.watch('watched', SILENT);
    const closed = await store.close('closed');
    const blank = await store.open('blank');
    await store.append('new', message('1'));
    t.same(await store.open('watched'), watched);
    t.same(await store.open('closed'), closed);
    await t.rejects(store.open('blank'), { code: 'too_many' });
    await store.delete('new');
    t.ok((await store.open('blank')).epoch > blank.epoch, 'a later life');
  });

  t.test('sweep / an empty channel that nobody uses → loses its identity after a while', async (t) => {
    const { store, clock } = await desk(t, { identityMs: 1000, maxChannels: 5 });
    const before = await store.open('idle');
    const unwatch = await store.watch('watched', SILENT);
    const watched = await store.open('watched');
    await store.append('full', message('1'));
    const closed = await store.close('closed');
    clock.ms += 1000;
    await store.sweep();
    t.same(await store.open('idle'), before, 'not yet: and the sweep does not count as use');
    clock.ms += 1;
    await store.sweep();
    t.not((await store.open('idle')).epoch, before.epoch, 'a later life');
    t.same(await store.open('watched'), watched, 'somebody watches');
    t.equal((await store.open('full')).seq, 1, 'it is not empty');
    t.same(await store.open('closed'), closed, 'it must go on refusing');
    unwatch();
    await store.sweep();
    await store.sweep();
    t.same(await store.open('watched'), watched, 'somebody watched until now');
    clock.ms += 1001;
    await store.sweep();
    await store.sweep();
    t.not((await store.open('watched')).epoch, watched.epoch);
  });

  t.test('sweep / a channel that was just read → keeps its identity', async (t) => {
    const { store, clock } = await desk(t, { identityMs: 1000 });
    const { epoch } = await store.open('a');
    clock.ms += 900;
    await store.read('a', 'now', ALL);
    clock.ms += 900;
    await store.sweep();
    t.equal((await store.open('a')).epoch, epoch);
  });
}

async function keptContract(t: Test, desk: BoundedDesk): Promise<void> {
  t.test('retention / asked for by the name of the channel, and how it was made', async (t) => {
    const asked = new Set<string>();
    const retention = (channel: string, whole: boolean): Retention => {
      asked.add(`${channel} ${whole}`);
      return { ...DEFAULT_RETENTION, messages: channel === 'short' ? 1 : 10 };
    };
    const { store, read } = await desk(t, { retention });
    for (const channel of ['short', 'long', 'short', 'long'])
      await store.append(channel, message(`"${channel}"`));
    t.same(await read('short'), ['"short"']);
    t.same(await read('long'), ['"long"', '"long"']);
    await store.create('made', { whole: true });
    await store.create('also made');
    await store.create('also made');
    const wanted = ['short false', 'long false', 'made true', 'also made false'];
    t.same(
      wanted.filter((each) => !asked.has(each)),
      [],
    );
  });

  t.test(
    'retention / of a channel that is kept whole → everything, unless it is told otherwise',
    async (t) => {
      const { store, clock, read } = await desk(t);
      const many = Array.from({ length: 1100 }, () => message('1')).flat();
      const kept = async (channel: string, whole: boolean) => {
        await store.create(channel, { whole });
        await store.append(channel, many);
        return (await read(channel)).length;
      };
      t.same([await kept('cut', false), await kept('whole', true)], [1000, 1100]);
      clock.ms += 1e12;
      t.same([(await read('cut')).length, (await read('whole')).length], [0, 1100]);
      t.same(new Set(Object.values(KEEP_EVERYTHING)), new Set([Number.POSITIVE_INFINITY]));
      const told = await desk(t, { retention: () => ({ ...KEEP_EVERYTHING, messages: 2 }) });
      await told.store.create('a', { whole: true, messages: many });
      t.equal((await told.read('a')).length, 2);
    },
  );

  t.test(
    'offsets / deleted and made again, the clock standing still or set back → never twice',
    async (t) => {
      const { store, clock } = await desk(t);
      const offsets: string[] = [];
      for (let life = 0; life < 50; life++) {
        clock.ms -= life % 3 === 0 ? 1000 : 0;
        offsets.push((await store.append('a', message('1'))).offset);
        await store.delete('a');
      }
      t.same([...offsets].sort(), offsets);
      t.equal(new Set(offsets).size, 50);
    },
  );

  t.test('retention / many thousands come and go → what is kept is right throughout', async (t) => {
    const { store, read } = await desk(t, { retention: () => ({ ...DEFAULT_RETENTION, messages: 100 }) });
    for (let count = 1; count <= 5000; count++) {
      await store.append('a', message(String(count)));
      if (count % 997 !== 0) continue;
      const kept = await read('a');
      t.equal(kept.length, 100);
      t.equal(kept[0], String(count - 99));
    }
  });
}

async function producersContract(t: Test, desk: BoundedDesk): Promise<void> {
  t.test(
    'producers / older than the remembered repeats → a duplicate, at or after its own offset',
    async (t) => {
      const { store } = await desk(t);
      const produce = (seq: number) =>
        store.append('a', message('1'), { producer: { id: 'p', epoch: 0, seq } });
      const offsets: string[] = [];
      for (let seq = 0; seq < 1000; seq++) offsets.push((await produce(seq)).offset);
      for (const seq of [999, 970, 940])
        t.match(await produce(seq), { offset: offsets[seq], duplicate: true });
      const old = await produce(0);
      t.equal(old.duplicate, true);
      t.ok(old.offset > (offsets[0] ?? ''));
    },
  );

  t.test('producers / more than a channel takes → too_many until one has been silent for long', async (t) => {
    const { store, clock } = await desk(t);
    const produce = (id: string, seq = 0) =>
      store.append('a', message('1'), { producer: { id, epoch: 0, seq } });
    const produceAll = (from: number, to: number) =>
      Promise.all(Array.from({ length: to - from }, (_, each) => produce(`p${from + each}`)));
    await produceAll(0, 101);
    clock.ms += 1;
    await produceAll(101, 10_000);
    clock.ms += 599_998;
    await t.rejects(produce('one more'), { code: 'too_many' });
    t.equal((await produce('p0', 1)).duplicate, false);
    clock.ms += 1;
    t.equal((await produce('one more')).duplicate, false, 'a hundred are forgotten, from p1 on');
    t.equal((await produce('p0', 1)).duplicate, true, 'p0 was heard of since');
    t.equal((await produce('p101')).duplicate, true, 'and the others are there');
    t.equal((await produce('p100')).duplicate, false);
  });
}
