import type { Test } from 'tap';
import type { StoredMessage } from '../../src/store/message.js';
import type { MakeDesk } from './desk.js';
import { dataOf, json, parsed, watcher } from './desk.js';

const p = (seq: number, epoch = 0) => ({ id: 'p', epoch, seq });

/** Several messages in one append, and what an append may ask for. */
export async function batchContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('append / several messages → an offset each, and the answer is that of the last', async (t) => {
    const { store, batch, read, data, clock } = await desk(t);
    const before = await batch([0]);
    const answer = await batch([1, 2, 3]);
    t.same(answer, { offset: answer.offset, duplicate: false, closed: false });
    const { messages } = await read();
    t.same(
      messages.map(({ seq, at, data }) => [seq, at, parsed(data)]),
      [0, 1, 2, 3].map((each) => [each + 1, clock.ms, each]),
    );
    const offsets = messages.map(({ offset }) => offset);
    t.same([offsets[0], offsets[3]], [before.offset, answer.offset]);
    t.same([...new Set(offsets)].sort(), offsets, 'they sort, and none is there twice');
    t.same(await data(offsets[1]), [2, 3], 'a reader may stand within it');
    t.match(await store.stat('a'), { messages: 4, offset: answer.offset, tail: { seq: 4 } });
  });

  t.test('append / several at once → the messages of one stand together', async (t) => {
    const { batch, data } = await desk(t);
    await Promise.all([batch([1, 2]), batch([3, 4]), batch([5])]);
    t.same(await data(), [1, 2, 3, 4, 5]);
  });

  t.test('append / no messages → changes nothing', async (t) => {
    const { store, batch, append } = await desk(t);
    const offset = await append(1);
    t.same(await batch([]), { offset, duplicate: false, closed: false });
    t.match(await store.stat('a'), { messages: 1, tail: { seq: 1 } });
    await batch([], {}, 'b');
    t.equal(await store.stat('b'), undefined, 'and makes nothing');
  });

  t.test('append / several, heard by a watcher → all of them can be read at the first', async (t) => {
    const { store, batch, read } = await desk(t);
    const heard: StoredMessage[] = [];
    const pages: ReturnType<typeof read>[] = [];
    const appended = (message: StoredMessage) => {
      heard.push(message);
      pages.push(read());
    };
    await store.watch('a', watcher({ appended }));
    await batch([1, 2, 3], { closes: true });
    t.same(heard, (await read()).messages);
    for (const page of await Promise.all(pages)) {
      t.same(dataOf(page), [1, 2, 3]);
      t.equal(page.closed, true, 'and it is known to be the end');
    }
  });

  t.test('append / several, and a watcher ends at the first → it hears no more', async (t) => {
    const { store, batch } = await desk(t);
    const heard: unknown[] = [];
    const appended = (message: StoredMessage) => {
      heard.push(parsed(message.data));
      unwatch();
    };
    const unwatch = await store.watch('a', watcher({ appended }));
    await batch([1, 2, 3]);
    t.same(heard, [1]);
  });

  t.test('append / refused → none of its messages is there', async (t) => {
    const { store, batch, data } = await desk(t);
    await batch([0], { order: 'm' });
    await t.rejects(batch([1, 2], { order: 'a' }), { code: 'conflict' });
    await t.rejects(batch([1, 2], { contentType: 'text/plain' }), { code: 'conflict' });
    await t.rejects(batch([1, 2], { producer: p(1) }), { code: 'out_of_sequence' });
    await t.rejects(batch([1, 2], { creates: false }, 'b'), { code: 'not_found' });
    t.same(await data(), [0]);
    t.same(await store.list('', 10), ['a']);
    t.equal((await batch([1, 2], { producer: p(0) })).duplicate, false, 'nor has it counted');
  });
}

/** A batch and its producer. */
export async function batchProducerContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('producer / several messages → one of its numbers', async (t) => {
    const { batch, data } = await desk(t);
    const first = await batch([1, 2, 3], { producer: p(0) });
    t.match(first, { duplicate: false, producerSeq: 0 });
    const second = await batch([4, 5], { producer: p(1) });
    t.match(second, { duplicate: false, producerSeq: 1 });
    t.same(await batch([1, 2, 3], { producer: p(0) }), { ...first, duplicate: true, producerSeq: 1 });
    t.same(await batch([4, 5], { producer: p(1) }), { ...second, duplicate: true });
    t.same(await data(), [1, 2, 3, 4, 5]);
  });

  t.test('producer / refused → told what counts instead', async (t) => {
    const { batch } = await desk(t);
    await t.rejects(batch([1], { producer: p(3) }), {
      name: 'Refused',
      code: 'out_of_sequence',
      expected: 0,
      received: 3,
      beginsEpoch: false,
    });
    await batch([1], { producer: p(0, 5) });
    await batch([2], { producer: p(1, 5) });
    const stale = { name: 'Refused', code: 'fenced', epoch: 5 };
    await t.rejects(batch([3], { producer: p(2, 4) }), stale);
    const hole = { code: 'out_of_sequence', expected: 2, received: 7, beginsEpoch: false };
    await t.rejects(batch([3], { producer: p(7, 5) }), hole);
    const late = { code: 'out_of_sequence', expected: 0, received: 1, beginsEpoch: true };
    await t.rejects(batch([3], { producer: p(1, 6) }), late);
    t.match(await batch([3], { producer: p(2, 5) }), { producerSeq: 2 }, 'none of it counted');
    t.match(await batch([4], { producer: p(0, 9) }), { producerSeq: 0 });
    await t.rejects(batch([5], { producer: p(0, 8) }), { code: 'fenced', epoch: 9 });
  });

  t.test('append / several things stand in the way → told in their order', async (t) => {
    const { batch, store, data } = await desk(t);
    await batch([1], { producer: p(0, 5), order: 'm' });
    const wrong = { contentType: 'text/plain', order: 'a' };
    const wrongOfAll = { ...wrong, producer: p(9, 4) };
    await t.rejects(batch([2], wrongOfAll), { code: 'fenced' });
    await t.rejects(batch([2], { ...wrong, producer: p(9, 5) }), { code: 'conflict', message: /type/ });
    await t.rejects(batch([2], { order: 'a', producer: p(9, 5) }), { code: 'out_of_sequence' });
    await t.rejects(batch([2], { order: 'a', producer: p(1, 5) }), { code: 'conflict' });
    const { offset } = await batch([], { closes: true });
    await t.rejects(batch([2], wrongOfAll), { code: 'fenced' });
    await t.rejects(batch([2], { ...wrong, producer: p(9, 5) }), { name: 'Refused', code: 'closed', offset });
    t.match(await batch([1], { ...wrong, producer: p(0, 5) }), { duplicate: true }, 'a repeat is one');
    t.same(await data(), [1]);
    t.match(await store.close('a'), { seq: 1 });
  });
}

/** The writers' own sequence, types, and appends that close. */
export async function appendOptionsContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('order / rises by bytes → stored; equal or less → conflict', async (t) => {
    const { batch, data } = await desk(t);
    const rising = ['', '!', '10', '2', '2a', 'Z', 'a', 'aa', 'z', 'é', '\uffff', '𐀀'];
    for (const order of rising) await batch([order], { order });
    t.same(await data(), rising);
    for (const order of rising) await t.rejects(batch(['no'], { order }), { code: 'conflict' });
    await batch(['none at all']);
    await t.rejects(batch(['no'], { order: '𐀀' }), { code: 'conflict' }, 'it is still the last');
    t.equal((await data()).length, rising.length + 1);
  });

  t.test('order / of a refused append → does not count', async (t) => {
    const { batch, data } = await desk(t);
    await batch([1], { order: 'b', producer: p(0) });
    await t.rejects(batch([2], { order: 'z', producer: p(5) }), { code: 'out_of_sequence' });
    await t.rejects(batch([2], { order: 'z', contentType: 'text/plain' }), { code: 'conflict' });
    t.match(await batch([2], { order: 'y', producer: p(0) }), { duplicate: true });
    await batch([3], { order: 'c' });
    t.same(await data(), [1, 3]);
  });

  t.test('order / of another channel, or another life → another sequence', async (t) => {
    const { store, batch, data } = await desk(t);
    await batch([1], { order: 'z' });
    await batch([1], { order: 'a' }, 'b');
    await store.delete('a');
    await batch([2], { order: 'a' });
    t.same(await data(), [2]);
  });

  t.test('append / of another type → conflict; parameters and case do not count', async (t) => {
    const { store, batch, data } = await desk(t);
    await batch([1]);
    await batch([2], { contentType: 'Application/JSON; charset=utf-8' });
    for (const contentType of ['text/plain', 'application/jsonl', ''])
      await t.rejects(batch([3], { contentType }), { name: 'Refused', code: 'conflict' });
    t.same(await data(), [1, 2]);
    await store.create('b', { contentType: 'Text/Plain; charset=utf-8' });
    await batch([1], { contentType: 'text/plain' }, 'b');
    await t.rejects(batch([1], {}, 'b'), { code: 'conflict' }, 'JSON is what is meant where none is said');
    t.match(await store.stat('b'), { messages: 1, contentType: 'Text/Plain; charset=utf-8' });
  });

  t.test('append / that closes → the last, and the end is told after it', async (t) => {
    const { store, batch, read } = await desk(t);
    const heard: unknown[] = [];
    await store.watch(
      'a',
      watcher({ appended: ({ data }) => heard.push(parsed(data)), closed: (tail) => heard.push(tail) }),
    );
    const answer = await batch([1, 2], { closes: true });
    t.match(answer, { duplicate: false, closed: true });
    const { epoch } = await store.open('a');
    t.same(heard, [1, 2, { epoch, seq: 2, closed: true }]);
    const page = await read();
    t.same([dataOf(page), page.closed, page.offset], [[1, 2], true, answer.offset]);
    const refused = { name: 'Refused', code: 'closed', offset: answer.offset };
    await t.rejects(batch([3]), refused);
    await t.rejects(batch([3], { closes: true }), refused);
    t.same(
      await batch([], { closes: true }),
      answer,
      'what asks for nothing more than that it is closed is no fault',
    );
    t.match(await store.close('a'), { seq: 2, closed: true });
    t.equal(heard.length, 3, 'and told once');
  });

  t.test('append / that closes, without messages → no type is asked for', async (t) => {
    const { store, batch } = await desk(t);
    const { offset } = await batch([1]);
    const closing = { closes: true, contentType: 'application/x-www-form-urlencoded' };
    t.same(await batch([], closing), { offset, duplicate: false, closed: true });
    await t.rejects(batch([], { closes: true, creates: false }, 'b'), { code: 'not_found' });
    t.match(await batch([], { closes: true }, 'b'), { closed: true });
    t.match(await store.stat('b'), { messages: 0, tail: { seq: 0, closed: true } }, 'closed from the first');
  });

  t.test('append / that closes, repeated by its producer → a duplicate; from others → closed', async (t) => {
    const { store, batch, produce } = await desk(t);
    await produce('p', 0, 0);
    const closing = { producer: p(1), closes: true };
    const first = await batch([1, 2], closing);
    t.match(first, { duplicate: false, closed: true, producerSeq: 1 });
    t.same(await batch([1, 2], closing), { ...first, duplicate: true });
    const refused = { code: 'closed', offset: first.offset };
    for (const producer of [p(2), p(0, 1), { id: 'q', epoch: 0, seq: 0 }])
      await t.rejects(batch([3], { producer, closes: true }), refused);
    const empty = { producer: { id: 'q', epoch: 0, seq: 0 }, closes: true };
    const second = await store.append('b', [], empty);
    t.match(second, { duplicate: false, closed: true, producerSeq: 0 });
    t.same(await store.append('b', [], empty), { ...second, duplicate: true });
    await t.rejects(store.append('b', [json(1)], { producer: p(0) }), { code: 'closed' });
  });
}
