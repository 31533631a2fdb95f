import type { Test } from 'tap';
import type { MakeDesk } from './desk.js';
import { dataOf, EVERYTHING, endOf } from './desk.js';

/** Appending and reading. */
export async function logContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('open / a channel that does not exist → has a position before the first message', async (t) => {
    const { store, append, data } = await desk(t);
    const tail = await store.open('a');
    t.match(tail, { seq: 0, closed: false });
    t.same(await store.open('a'), tail, 'and keeps it');
    await append('first');
    t.same(await data(endOf(tail)), ['first'], 'from which reading goes on');
    t.same(await store.open('a'), { ...tail, seq: 1 });
  });

  t.test('append / answered → the message can be read, as it was handed over', async (t) => {
    const { store, read, clock } = await desk(t);
    const text = '{ "b":1,\t"a":"\\u00e9\\n" ,"b":2}';
    const { offset, duplicate } = await store.append('a', [{ from: 'ann "b"', data: text }]);
    t.equal(duplicate, false);
    const page = await read();
    t.same(page.messages, [{ seq: 1, offset, from: 'ann "b"', at: clock.ms, data: text }]);
    t.match(page, { seq: 1, lost: undefined, upToDate: true, closed: false });
    t.equal(endOf(page), offset, 'the offset is the position after it');
  });

  t.test('append / many at once → take effect in the order of the calls', async (t) => {
    const { append, data, read } = await desk(t);
    const numbers = Array.from({ length: 100 }, (_, at) => at);
    const offsets = await Promise.all(numbers.map((each) => append(each)));
    t.same(await data(), numbers);
    t.same(
      (await read()).messages.map(({ offset }) => offset),
      offsets,
    );
    t.same([...offsets].sort(), offsets, 'and their offsets sort by bytes');
    t.equal(new Set(offsets).size, 100);
  });

  t.test('append / to another channel → is another log', async (t) => {
    const { append, data, read } = await desk(t);
    await append(1, 'a');
    await append(2, 'b/c');
    t.same(await data(), [1]);
    t.same(dataOf(await read('-1', EVERYTHING, 'b/c')), [2]);
  });

  t.test('read / any offset that was given → what follows it, without a hole', async (t) => {
    const { append, data } = await desk(t);
    const offsets = await Promise.all([1, 2, 3].map((each) => append(each)));
    t.same(await Promise.all(offsets.map((offset) => data(offset))), [[2, 3], [3], []]);
  });

  t.test('read / now → an empty page at the tail', async (t) => {
    const { append, read } = await desk(t);
    const offset = await append(1);
    const page = await read('now');
    t.match(page, { messages: [], lost: undefined, upToDate: true });
    t.equal(endOf(page), offset);
  });

  t.test('read / bounded by count → pages that join', async (t) => {
    const { append, read } = await desk(t);
    await Promise.all([1, 2, 3].map((each) => append(each)));
    const first = await read('-1', { messages: 2, bytes: 1e6 });
    t.same(dataOf(first), [1, 2]);
    t.equal(first.upToDate, false);
    const second = await read(first, { messages: 2, bytes: 1e6 });
    t.same(dataOf(second), [3]);
    t.equal(second.upToDate, true);
  });

  t.test('read / bounded by bytes → fewer, but one at least', async (t) => {
    const { append, data } = await desk(t);
    const offset = await append('x'.repeat(1000));
    await append('y'.repeat(1000));
    await append('z');
    t.equal((await data('-1', { messages: 10, bytes: 2500 })).length, 3);
    t.equal((await data('-1', { messages: 10, bytes: 1500 })).length, 1);
    t.equal((await data('-1', { messages: 10, bytes: 1 })).length, 1, 'one that is larger than the bound');
    t.same(await data(offset, { messages: 10, bytes: 1005 }), ['y'.repeat(1000)]);
  });

  t.test('read / beyond the tail → bad_offset', async (t) => {
    const { store, append, read } = await desk(t);
    await append(1);
    const { epoch } = await store.open('a');
    await t.rejects(read({ epoch, seq: 2 }), { name: 'Refused', code: 'bad_offset' });
    t.same(dataOf(await read({ epoch, seq: 0 })), [1]);
  });

  t.test('ping / a store that works → resolves', async (t) => {
    const { store } = await desk(t);
    await t.resolves(store.ping());
  });
}
