import type { Test } from 'tap';
import type { Creation } from '../../src/store/creation.js';
import type { MakeDesk } from './desk.js';
import { json, parsed, raw, textOf, watcher } from './desk.js';

const conflict = { name: 'Refused', code: 'conflict' };

/** What a channel is made as. */
export async function creationContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('create / nothing is said → an empty JSON channel that stays', async (t) => {
    const { store } = await desk(t);
    const made = await store.create('a');
    t.match(made, { created: true, tail: { seq: 0, closed: false }, contentType: 'application/json' });
    t.match(await store.stat('a'), { lifetime: {}, offset: made.offset, messages: 0 });
    t.same(await store.create('a', {}), { ...made, created: false });
  });

  t.test('create / with everything → is so, and can be asked for again', async (t) => {
    const { store, clock } = await desk(t);
    const creation: Creation = {
      contentType: 'text/plain; charset=utf-8',
      lifetime: { ttlSeconds: 60, expiresAt: clock.ms + 1e6 },
      messages: [raw('one'), raw('two')],
      closed: true,
    };
    const made = await store.create('a', creation);
    t.match(made, { created: true, tail: { seq: 2, closed: true }, contentType: creation.contentType });
    t.same(await store.create('a', creation), { ...made, created: false });
    const { contentType, lifetime, tail, offset, messages } = (await store.stat('a')) ?? {};
    t.same([contentType, lifetime, offset], [creation.contentType, creation.lifetime, made.offset]);
    t.same([tail, messages], [made.tail, 2], 'its messages are there once');
  });

  t.test('create / what is there differs in one thing → conflict, and it is left as it is', async (t) => {
    const { store, clock, append, data } = await desk(t);
    await append(1, 'source');
    const creation = { lifetime: { ttlSeconds: 60 } };
    await store.create('a', creation);
    await append(1);
    const others: Creation[] = [
      { ...creation, contentType: 'text/plain' },
      {},
      { lifetime: { ttlSeconds: 61 } },
      { lifetime: { expiresAt: clock.ms + 60_000 } },
      { lifetime: { ttlSeconds: 60, expiresAt: clock.ms + 60_000 } },
      { ...creation, closed: true },
      { ...creation, fork: { source: 'source' } },
      { ...creation, fork: { source: 'a' } },
    ];
    for (const other of others) await t.rejects(store.create('a', other), conflict, JSON.stringify(other));
    const before = { ...creation, messages: [json('more')] };
    t.match(await store.create('a', before), { created: false, tail: { seq: 1, closed: false } });
    t.same(await data(), [1]);
    await store.close('a');
    await t.rejects(store.create('a', creation), conflict, 'closed since');
    t.match(await store.create('a', { ...creation, closed: true }), { created: false });
  });

  t.test('create / the type with other parameters, in other letters → the same', async (t) => {
    const { store } = await desk(t);
    const made = await store.create('a', { contentType: 'text/plain;charset=utf-8' });
    for (const contentType of ['text/plain', 'TEXT/Plain; format=flowed', ' text/plain ;x=y'])
      t.same(await store.create('a', { contentType }), { ...made, created: false });
    await t.rejects(store.create('a', { contentType: 'text/plain2' }), conflict);
    await t.rejects(store.create('a'), conflict, 'nothing said is JSON');
  });

  t.test(
    'create / where there is an identity only → its positions hold, and its watchers hear',
    async (t) => {
      const { store, read, data } = await desk(t);
      const heard: unknown[] = [];
      await store.watch(
        'a',
        watcher({
          appended: (message, epoch) => heard.push([parsed(message.data), epoch]),
          closed: ({ seq }) => heard.push(seq),
          deleted: () => heard.push('deleted'),
        }),
      );
      const tail = await store.open('a');
      const made = await store.create('a', { messages: [json(1), json(2)], closed: true });
      t.same(made.tail, { epoch: tail.epoch, seq: 2, closed: true });
      t.same(heard, [[1, tail.epoch], [2, tail.epoch], 2]);
      t.match(await read(tail), { lost: undefined });
      t.same(await data(tail), [1, 2]);
    },
  );

  t.test('create / of another type where there is an identity only → is of that type', async (t) => {
    const { store } = await desk(t);
    const { epoch } = await store.open('a');
    t.match(await store.create('a', { contentType: 'text/plain' }), { created: true, tail: { epoch } });
    t.match(await store.append('a', [raw('x')], { contentType: 'text/plain' }), { duplicate: false });
  });

  t.test('create / what a publish made → the same channel, which stays from now on', async (t) => {
    const { store, append, data } = await desk(t);
    await append(1);
    await t.rejects(store.create('a', { contentType: 'text/plain' }), conflict);
    t.match(await store.create('a'), { created: false, tail: { seq: 1 } });
    t.same(await data(), [1]);
  });

  t.test('create / at once, by many → made once', async (t) => {
    const { store, data } = await desk(t);
    const all = [1, 2, 3].map((each) => store.create('a', { messages: [json(each)] }));
    t.same(
      (await Promise.all(all)).map(({ created }) => created),
      [true, false, false],
    );
    t.same(await data(), [1]);
  });

  t.test('create / closed and empty → an end without a beginning', async (t) => {
    const { store, append, read } = await desk(t);
    const { offset } = await store.create('a', { closed: true });
    t.match(await read(), { messages: [], upToDate: true, closed: true, offset });
    await t.rejects(append(1), { code: 'closed', offset });
  });
}

/** Bytes are kept as they are. */
export async function bytesContract(t: Test, desk: MakeDesk): Promise<void> {
  const type = { contentType: 'application/octet-stream' };

  t.test('bytes / every value, and none → read as they were handed over', async (t) => {
    const { store, read } = await desk(t);
    const all = Uint8Array.from({ length: 256 }, (_, at) => at);
    const handed = [all, Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(0xff, 0xfe), all.toReversed()];
    const [first, ...others] = handed.map((data) => ({ from: 'ann', data, meta: '{"n":1}' }));
    if (first === undefined) return;
    await store.create('a', { ...type, messages: [first] });
    await store.append('a', others, type);
    const { messages } = await read();
    t.equal(messages.length, handed.length);
    for (const [at, { data, meta }] of messages.entries()) {
      t.ok(data instanceof Uint8Array);
      t.same([...(data as Uint8Array)], [...(handed[at] ?? [])]); // checked the line before
      t.equal(meta, '{"n":1}');
    }
  });

  t.test('bytes / changed by their owner afterwards → stay as they were', async (t) => {
    const { store, read } = await desk(t);
    const [one, two] = [Uint8Array.from(Buffer.from('first')), Uint8Array.from(Buffer.from('-second-'))];
    await store.create('a', { ...type, messages: [{ from: 'ann', data: one }] });
    one.fill(0);
    const appending = store.append('a', [{ from: 'ann', data: two.subarray(1, 7) }], type);
    two.fill(0);
    await appending;
    t.same((await read()).messages.map(textOf), ['first', 'second']);
  });

  t.test('bytes / count as retention counts them', async (t) => {
    const { store, read } = await desk(t, { bytes: 3000 });
    await store.create('a', type);
    for (const each of ['a', 'b', 'c', 'd']) await store.append('a', [raw(each.repeat(1000))], type);
    t.same(
      (await read()).messages.map((message) => textOf(message)[0]),
      ['c', 'd'],
    );
  });
}
