import type { Test } from 'tap';
import { parseOffset } from '../../src/protocol/offset.js';
import type { Creation, Fork, Lifetime } from '../../src/store/creation.js';
import type { Desk, MakeDesk } from './desk.js';
import { EVERYTHING, json, LONG_MS, watcher } from './desk.js';

const gone = { name: 'Refused', code: 'gone' };
const conflict = { name: 'Refused', code: 'conflict' };
const forkOf = (source: string, fork: Omit<Fork, 'source'> = {}, creation: Creation = {}): Creation => ({
  ...creation,
  fork: { source, ...fork },
});
const contentOf = ({ data }: Desk, channel: string) => data('-1', EVERYTHING, channel);

/** Making a fork again, and how long it lives. */
export async function forkCreationContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('fork / made again → the same, though the source has gone on', async (t) => {
    const made = await desk(t);
    const { store, batch, append } = made;
    await batch([1, 2]);
    const first = await store.create('b', forkOf('a'));
    const start = parseOffset(first.offset);
    await append(3);
    const same: Creation[] = [
      forkOf('a'),
      forkOf('a', { start: 'now' }),
      forkOf('a', { start }),
      forkOf('a', { start, skip: 0 }),
      forkOf('a', {}, { contentType: 'Application/Json;x=y', messages: [json('left as it is')] }),
    ];
    for (const creation of same) t.same(await store.create('b', creation), { ...first, created: false });
    t.same(await contentOf(made, 'b'), [1, 2]);
    await append('own', 'b');
    t.match(await store.create('b', forkOf('a')), { created: false, tail: { seq: 3 } });
  });

  t.test('fork / another than is there → conflict', async (t) => {
    const made = await desk(t);
    const { store, append } = made;
    const start = parseOffset(await append(1));
    await append(2);
    await append(1, 'other');
    await store.create('b', forkOf('a', { start, skip: 1 }));
    const others: Creation[] = [
      forkOf('other', { start, skip: 1 }),
      forkOf('a', { start, skip: 0 }),
      forkOf('a', { start: '-1', skip: 1 }),
      forkOf('a'),
      {},
      forkOf('a', { start, skip: 1 }, { contentType: 'text/plain' }),
      forkOf('a', { start, skip: 1 }, { closed: true }),
      forkOf('a', { start, skip: 1 }, { lifetime: { ttlSeconds: 1 } }),
    ];
    for (const other of others) await t.rejects(store.create('b', other), conflict, JSON.stringify(other));
    await t.rejects(store.create('other', forkOf('a')), conflict, 'what is no fork');
    t.match(await store.create('b', forkOf('a', { start, skip: 1 })), { created: false });
    t.same(await contentOf(made, 'b'), [1, 2]);
  });

  const ttl = { ttlSeconds: 10 };
  const end = { expiresAt: 1_900_000_000_000 };
  const ownTtl = { ttlSeconds: 99 };
  const ownEnd = { expiresAt: 1_950_000_000_000 };
  const table: readonly (readonly [Lifetime, Lifetime | undefined, Lifetime])[] = [
    [{}, undefined, {}],
    [{}, ownTtl, ownTtl],
    [{}, ownEnd, ownEnd],
    [ttl, undefined, ttl],
    [ttl, ownTtl, ownTtl],
    [ttl, ownEnd, ownEnd],
    [end, undefined, end],
    [end, ownTtl, ownTtl],
    [end, ownEnd, ownEnd],
  ];
  for (const [ofSource, asked, has] of table) {
    const name = `${JSON.stringify(ofSource)}, asked for ${JSON.stringify(asked)} → ${JSON.stringify(has)}`;
    t.test(`fork / of a source with the lifetime ${name}`, async (t) => {
      const { store } = await desk(t);
      await store.create('a', { lifetime: ofSource });
      const creation = forkOf('a', {}, { lifetime: asked });
      t.match(await store.create('b', creation), { created: true });
      t.same((await store.stat('b'))?.lifetime, has);
      t.match(await store.create('b', creation), { created: false });
      const others = [ttl, end, ownTtl, ownEnd].filter((each) => each !== has);
      for (const lifetime of others)
        await t.rejects(store.create('b', forkOf('a', {}, { lifetime })), conflict);
      if (asked !== undefined) await t.rejects(store.create('b', forkOf('a')), conflict, 'as the source was');
    });
  }

  t.test('fork / used → is no use of its source, nor the other way round', async (t) => {
    const made = await desk(t);
    const { store, clock, append } = made;
    await store.create('a', { lifetime: { ttlSeconds: 10 }, messages: [json(1)] });
    for (const name of ['b', 'c']) await store.create(name, forkOf('a'));
    clock.ms += 6000;
    await append(2, 'b');
    clock.ms += 4000;
    await t.rejects(store.stat('a'), gone, 'over, and it has a fork');
    t.same(await contentOf(made, 'b'), [1, 2]);
    t.equal(await store.stat('c'), undefined);
    clock.ms += 9999;
    t.same(await contentOf(made, 'b'), [1, 2]);
    clock.ms += 10_000;
    t.equal(await store.stat('b'), undefined);
    t.equal(await store.stat('a'), undefined, 'its last fork is over');
  });

  t.test('fork / over, and nobody asks → the sweep frees its source as well', async (t) => {
    const { store, clock } = await desk(t);
    await store.create('a', { messages: [json(1)] });
    await store.create('b', forkOf('a', {}, { lifetime: { ttlSeconds: 10 } }));
    await store.delete('a');
    clock.ms += LONG_MS;
    for (let times = 0; times < 3; times++) await store.sweep();
    await store.ping();
    t.equal(await store.stat('a'), undefined);
  });
}

/** What becomes of a source that is deleted. */
export async function forkDeletionContract(t: Test, desk: MakeDesk): Promise<void> {
  /** A source that was deleted, and its fork. */
  const orphaned = async (t: Test) => {
    const made = await desk(t);
    const offset = await made.append(1);
    await made.store.create('b', forkOf('a'));
    t.equal(await made.store.delete('a'), true);
    return { ...made, made, store: made.store, offset };
  };

  t.test('delete / of what has a fork → is gone for all who ask, and its name is taken', async (t) => {
    const { store, append, batch, read, offset } = await orphaned(t);
    await t.rejects(store.open('a'), gone);
    for (const start of ['-1', 'now', offset]) await t.rejects(read(start), gone);
    await t.rejects(append(2), gone);
    await t.rejects(batch([2], { creates: false }), gone);
    await t.rejects(store.close('a'), gone);
    await t.rejects(store.stat('a'), gone);
    await t.rejects(store.delete('a'), gone);
    await t.rejects(store.create('a'), conflict);
    await t.rejects(store.create('a', forkOf('b')), conflict);
    await t.rejects(store.create('c', forkOf('a')), conflict);
    t.same(await store.list('', 10), ['b']);
  });

  t.test('delete / of what has a fork → its watchers are told, and the fork lives on', async (t) => {
    const made = await desk(t);
    const { store, append, read, clock } = made;
    const heard: string[] = [];
    for (const name of ['a', 'b'])
      await store.watch(name, watcher({ deleted: () => heard.push(`${name} deleted`) }));
    const offset = await append(1);
    await store.create('b', forkOf('a'));
    await store.delete('a');
    t.same(heard, ['a deleted']);
    clock.ms += LONG_MS;
    for (let times = 0; times < 3; times++) await store.sweep();
    await append(2, 'b');
    t.same(await contentOf(made, 'b'), [1, 2]);
    t.match(await read(offset, EVERYTHING, 'b'), { lost: undefined, messages: [{ data: '2' }] });
    t.match(await store.create('b', forkOf('a')), { created: false });
    await t.rejects(store.open('a'), gone, 'it stays so');
  });

  t.test('delete / of its fork, then → the name is free for a later life', async (t) => {
    const { store, append, read, offset } = await orphaned(t);
    t.equal(await store.delete('b'), true);
    t.equal(await store.stat('a'), undefined);
    t.equal(await store.delete('a'), false);
    await t.rejects(
      append(1, 'a').then(() => store.create('c', forkOf('b'))),
      { code: 'not_found' },
    );
    t.match(await read(offset), { lost: 'reset', seq: 1 });
    t.ok((await append(2)) > offset);
  });

  t.test('delete / of one fork of several → the last frees the source', async (t) => {
    const made = await orphaned(t);
    const { store } = made;
    await store.create('c', forkOf('b'));
    await store.create('d', forkOf('b'));
    await store.delete('c');
    await store.delete('b');
    await t.rejects(store.stat('b'), gone, 'd is a fork of it');
    await t.rejects(store.stat('a'), gone, 'and it of this');
    t.same(await contentOf(made, 'd'), [1]);
    await store.delete('d');
    for (const name of ['a', 'b', 'c', 'd']) t.equal(await store.stat(name), undefined, name);
  });

  t.test('delete / of a fork, its source being there → leaves the source as it is', async (t) => {
    const made = await desk(t);
    const { store, append } = made;
    await append(1);
    for (const name of ['b', 'c']) await store.create(name, forkOf('a'));
    for (const name of ['b', 'c']) await store.delete(name);
    await append(2);
    t.same(await contentOf(made, 'a'), [1, 2]);
    t.match(await store.create('b', forkOf('a')), { created: true, tail: { seq: 2 } }, 'made anew');
    await store.delete('b');
    await store.delete('a');
    t.equal(await store.stat('a'), undefined);
  });

  t.test('delete / of a chain from its end, or from its midst → what a fork has stays', async (t) => {
    const made = await desk(t);
    const { store, append } = made;
    await append(1);
    await store.create('b', forkOf('a'));
    await append(2, 'b');
    await store.create('c', forkOf('b'));
    await append(3, 'c');
    await store.delete('b');
    t.same([await contentOf(made, 'a'), await contentOf(made, 'c')], [[1], [1, 2, 3]]);
    await store.delete('a');
    t.same(await contentOf(made, 'c'), [1, 2, 3]);
    await t.rejects(store.stat('a'), gone);
    await store.delete('c');
    t.same([await store.stat('a'), await store.stat('b'), await store.stat('c')], Array(3).fill(undefined));
    t.match(await store.create('a', { messages: [json('new')] }), { created: true, tail: { seq: 1 } });
  });

  t.test('fork / its source is emptied by time and then deleted → holds it all the same', async (t) => {
    const made = await desk(t, { ageMs: 1000 });
    const { store, append, clock } = made;
    await append(1);
    await store.create('b', forkOf('a'));
    clock.ms += LONG_MS;
    for (let times = 0; times < 3; times++) await store.sweep();
    t.equal(await store.delete('a'), true);
    await t.rejects(store.stat('a'), gone);
    await store.delete('b');
    await append(2);
    t.equal(await store.delete('a'), true);
    t.equal(await store.stat('a'), undefined, 'and no fork is counted that is not there');
  });
}
