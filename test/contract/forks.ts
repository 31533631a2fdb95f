import type { Test } from 'tap';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';
import type { Creation, Fork } from '../../src/store/creation.js';
import type { Desk, MakeDesk } from './desk.js';
import { dataOf, EVERYTHING, json, raw, textOf, watcher } from './desk.js';

const refused = (code: string) => ({ name: 'Refused', code });
const forkOf = (fork: Fork, creation: Creation = {}): Creation => ({ ...creation, fork });
const offsetsOf = async ({ read }: Desk, channel = 'a') =>
  (await read('-1', EVERYTHING, channel)).messages.map(({ offset }) => offset);

/** What a fork begins with. */
export async function forkContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('fork / nothing is said of where → all that the source has, at the same offsets', async (t) => {
    const made = await desk(t);
    const { store, batch, read } = made;
    const { offset } = await batch([1, 2, 3]);
    for (const [name, start] of [['b'], ['c', 'now'], ['d', parseOffset(offset)]] as const) {
      const answer = await store.create(name, forkOf({ source: 'a', start }));
      t.match(answer, { created: true, offset, tail: { seq: 3, closed: false } }, name);
      const page = await read('-1', EVERYTHING, name);
      t.same(page.messages, (await read()).messages, 'message for message');
      t.match(page, { offset, seq: 3, lost: undefined, upToDate: true });
      t.match(await store.stat(name), { messages: 3, offset, contentType: 'application/json' });
    }
    t.same(await store.list('', 10), ['a', 'b', 'c', 'd']);
  });

  t.test('fork / at any offset → what the source has up to there', async (t) => {
    const { store, append, data } = await desk(t);
    const { offset: beginning } = await store.create('a');
    const offsets = [beginning, await append(1), await append(2), await append(3)];
    for (const [at, offset] of offsets.entries()) {
      const made = await store.create(`f${at}`, forkOf({ source: 'a', start: parseOffset(offset) }));
      t.equal(made.offset, offset);
      t.same(await data('-1', EVERYTHING, `f${at}`), [1, 2, 3].slice(0, at));
    }
    t.match(await store.create('g', forkOf({ source: 'a', start: '-1' })), { offset: beginning });
    t.same(await data('-1', EVERYTHING, 'g'), []);
  });

  t.test('fork / and its source go on → each by itself, at offsets that rise', async (t) => {
    const made = await desk(t);
    const { store, append, batch, data } = made;
    const heard: string[] = [];
    for (const name of ['a', 'b'])
      await store.watch(name, watcher({ appended: (each) => heard.push(`${name} ${each.data}`) }));
    await batch([1, 2]);
    await store.create('b', forkOf({ source: 'a' }));
    const [ofSource, ofFork] = [await append('source'), await append('fork', 'b')];
    t.same(await data(), [1, 2, 'source']);
    t.same(await data('-1', EVERYTHING, 'b'), [1, 2, 'fork']);
    t.same(heard, ['a 1', 'a 2', 'a "source"', 'b "fork"']);
    const [source, fork] = [await offsetsOf(made), await offsetsOf(made, 'b')];
    t.same([...fork].sort(), fork);
    t.same(fork.slice(0, 2), source.slice(0, 2));
    t.not(ofSource, ofFork, 'places that are not the same are not told the same');
  });

  t.test('fork / read from any of its offsets, and in pages → what follows, without a hole', async (t) => {
    const made = await desk(t);
    const { store, batch, append, data, read } = made;
    await batch([1, 2, 3]);
    const start = (await offsetsOf(made))[1] ?? '';
    await store.create('b', forkOf({ source: 'a', start: parseOffset(start) }));
    await append('x', 'b');
    await append('y', 'b');
    const all = [1, 2, 'x', 'y'];
    for (const [at, offset] of (await offsetsOf(made, 'b')).entries())
      t.same(await data(offset, EVERYTHING, 'b'), all.slice(at + 1));
    const paged: unknown[] = [];
    for (let page = await read('-1', { messages: 1, bytes: 1e6 }, 'b'); ; ) {
      paged.push(...dataOf(page));
      t.match(await read(page.offset, EVERYTHING, 'b'), { lost: undefined, seq: 4 });
      if (page.upToDate) break;
      page = await read(page, { messages: 1, bytes: 1e6 }, 'b');
    }
    t.same(paged, all);
    const beyond = (await offsetsOf(made))[2] ?? '';
    await t.rejects(read(beyond, EVERYTHING, 'b'), refused('bad_offset'), 'what only the source has');
  });

  t.test('fork / of an empty channel → empty', async (t) => {
    const { store, append, data } = await desk(t);
    const { offset } = await store.create('a');
    t.match(await store.create('b', forkOf({ source: 'a' })), { created: true, offset, tail: { seq: 0 } });
    await append(1, 'b');
    t.same([await data(), await data('-1', EVERYTHING, 'b')], [[], [1]]);
  });

  t.test('fork / of a closed channel → is open', async (t) => {
    const { store, batch, append, data } = await desk(t);
    await batch([1], { closes: true });
    t.match(await store.create('b', forkOf({ source: 'a' })), { tail: { closed: false } });
    await append(2, 'b');
    await store.close('b');
    t.same(await data('-1', EVERYTHING, 'b'), [1, 2]);
    await t.rejects(append(3, 'b'), refused('closed'));
  });

  t.test('fork / with messages of its own, closed at once → after what it takes over', async (t) => {
    const { store, batch, read } = await desk(t);
    await batch([1, 2]);
    const start = (await read('-1', { messages: 1, bytes: 1e6 })).offset;
    const creation = forkOf({ source: 'a', start: parseOffset(start), skip: 1 }, { messages: [json(3)] });
    const made = await store.create('b', { ...creation, closed: true });
    const page = await read('-1', EVERYTHING, 'b');
    t.same([dataOf(page), page.closed, page.offset], [[1, 2, 3], true, made.offset]);
  });

  t.test('fork / of a channel that is not there, or has only an identity → not_found', async (t) => {
    const { store } = await desk(t);
    await t.rejects(store.create('b', forkOf({ source: 'a' })), refused('not_found'));
    await store.open('a');
    await t.rejects(store.create('b', forkOf({ source: 'a' })), refused('not_found'));
    await t.rejects(store.create('a', forkOf({ source: 'a' })), refused('not_found'), 'of itself');
    t.same(await store.list('', 10), []);
  });

  t.test('fork / of another type → conflict; of none → that of the source', async (t) => {
    const { store } = await desk(t);
    await store.create('a', { contentType: 'text/plain; charset=utf-8', messages: [raw('x')] });
    const of = { source: 'a' };
    await t.rejects(store.create('b', forkOf(of, { contentType: 'text/html' })), refused('conflict'));
    t.match(await store.create('b', forkOf(of)), { contentType: 'text/plain; charset=utf-8' });
    t.match(await store.create('c', forkOf(of, { contentType: 'Text/Plain' })), { created: true });
    t.equal(await store.delete('b'), true);
    t.equal(await store.delete('c'), true);
    await store.delete('a');
    t.equal(await store.stat('a'), undefined, 'what was refused holds nothing');
  });

  t.test('fork / where there is an identity only → readers of that are told of the new life', async (t) => {
    const { store, batch, read, data } = await desk(t);
    await batch([1]);
    const tail = await store.open('b');
    const { tail: made } = await store.create('b', forkOf({ source: 'a' }));
    t.ok(made.epoch > tail.epoch);
    t.match(await read(tail, EVERYTHING, 'b'), { lost: 'reset', seq: 1 });
    t.same(await data(tail, EVERYTHING, 'b'), [1]);
  });

  t.test('fork / producers and the order of the source → are not its own', async (t) => {
    const { store, produce, batch, data } = await desk(t);
    await produce('p', 5, 0, 1, { order: 'z' });
    await store.create('b', forkOf({ source: 'a' }));
    const producer = { id: 'p', epoch: 0, seq: 0 };
    await t.rejects(batch([2], { producer: { ...producer, seq: 1 } }, 'b'), {
      code: 'out_of_sequence',
      expected: 0,
    });
    t.match(await batch([2], { producer, order: 'a' }, 'b'), { duplicate: false, producerSeq: 0 });
    t.match(await batch([2], { producer }, 'b'), { duplicate: true });
    t.match(await produce('p', 5, 1), { producerSeq: 1 }, "the source's are as they were");
    t.same(await data('-1', EVERYTHING, 'b'), [1, 2]);
  });

  t.test('fork / of a fork of a fork → each has what was before, at the same offsets', async (t) => {
    const made = await desk(t);
    const { store, append, data } = made;
    const names = ['a', 'b', 'c', 'd'];
    await append('a1');
    for (const [at, name] of names.entries()) {
      const source = names[at - 1];
      if (source !== undefined) await store.create(name, forkOf({ source }));
      await append(`${name}2`, name);
    }
    for (const name of names) await append('later', name);
    const own = ['a1', 'a2', 'b2', 'c2', 'd2', 'later'];
    t.same(await data('-1', EVERYTHING, 'd'), own);
    const offsets = await offsetsOf(made, 'd');
    t.same([...offsets].sort(), offsets);
    t.same(offsets.slice(0, 4), (await offsetsOf(made, 'c')).slice(0, 4));
    t.same(offsets.slice(0, 2), (await offsetsOf(made)).slice(0, 2));
    for (const [at, offset] of offsets.slice(0, 5).entries()) {
      const name = `of d at ${at}`.replaceAll(' ', '-');
      t.match(await store.create(name, forkOf({ source: 'd', start: parseOffset(offset) })), { offset });
      t.same(await data('-1', EVERYTHING, name), own.slice(0, at + 1));
      t.ok((await append('more', name)) > offset);
    }
  });
}

/** Where a fork may begin. */
export async function forkPlaceContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('skip / messages of JSON → so many more', async (t) => {
    const { store, append, batch, data } = await desk(t);
    const start = parseOffset(await append(0));
    await batch([1, 2]);
    await append(3);
    for (const skip of [0, 1, 2, 3]) {
      await store.create(`f${skip}`, forkOf({ source: 'a', start, skip }));
      t.same(await data('-1', EVERYTHING, `f${skip}`), [0, 1, 2, 3].slice(0, skip + 1));
    }
    for (const fork of [{ start, skip: 4 }, { skip: 1 }, { start: '-1' as const, skip: 5 }])
      await t.rejects(store.create('g', forkOf({ source: 'a', ...fork })), refused('bad_offset'));
    t.equal(await store.stat('g'), undefined);
  });

  t.test('skip / bytes → so many more, be it in the midst of a message', async (t) => {
    const { store, read } = await desk(t);
    const type = { contentType: 'application/octet-stream' };
    const hello = { from: 'ann', data: raw('hello').data, meta: '{"n":1}' };
    const { offset: start } = await store.create('a', { ...type, messages: [raw('first')] });
    await store.append('a', [hello, raw('world')], type);
    const source = (await read()).messages;
    for (let skip = 0; skip <= 10; skip++) {
      const made = await store.create(`f${skip}`, forkOf({ source: 'a', start: parseOffset(start), skip }));
      const { messages, offset } = await read('-1', EVERYTHING, `f${skip}`);
      t.equal(messages.map(textOf).join(''), `first${'helloworld'.slice(0, skip)}`);
      t.equal(offset, made.offset);
      const whole = 1 + Math.floor(skip / 5);
      t.same(messages.slice(0, whole), source.slice(0, whole), 'whole messages are those of the source');
      if (skip % 5 === 0) continue;
      t.match(messages[whole], { from: 'ann', seq: whole + 1 });
      t.ok((messages[whole]?.offset ?? '') > (source[whole - 1]?.offset ?? ''));
      t.not(messages[whole]?.offset, source[whole]?.offset, 'a part is at a place of its own');
    }
    await store.append('f3', [raw('LO')], type);
    t.equal((await read('-1', EVERYTHING, 'f3')).messages.map(textOf).join('|'), 'first|hel|LO');
    for (const fork of [{ start: parseOffset(start), skip: 11 }, { skip: 1 }])
      await t.rejects(store.create('g', forkOf({ source: 'a', ...fork })), refused('bad_offset'));
  });

  t.test('fork / at an offset that is none of the source → bad_offset, and nothing is left', async (t) => {
    const { store, append, data } = await desk(t);
    const before = await append('earlier life');
    await store.delete('a');
    await append(1);
    const { epoch } = await store.open('a');
    const elsewhere = await append(1, 'other');
    for (const offset of [before, elsewhere, formatOffset(epoch, 2)])
      await t.rejects(
        store.create('b', forkOf({ source: 'a', start: parseOffset(offset) })),
        refused('bad_offset'),
      );
    t.equal(await store.stat('b'), undefined);
    await store.create('b', { messages: [json('free')] });
    t.same(await data('-1', EVERYTHING, 'b'), ['free']);
    await store.delete('a');
    t.equal(await store.stat('a'), undefined, 'no fork holds the name');
  });

  t.test('fork / of what retention has cut → what is kept; before that → gone', async (t) => {
    const made = await desk(t, { messages: 2 });
    const { store, append, read, data } = made;
    const offsets = [await append(1), await append(2), await append(3), await append(4)];
    const [first = '', second = '', third = ''] = offsets;
    const at = (offset: string) => forkOf({ source: 'a', start: parseOffset(offset) });
    await t.rejects(store.create('b', at(first)), refused('gone'));
    await store.create('b', at(third));
    t.same(await data('-1', EVERYTHING, 'b'), [3]);
    t.match(await store.stat('b'), { start: { seq: 2 }, messages: 1 });
    t.match(await read(first, EVERYTHING, 'b'), { lost: 'retention', messages: [{ offset: third }] });
    t.match(await read(second, EVERYTHING, 'b'), { lost: undefined, messages: [{ offset: third }] });
    for (const [name, start] of [
      ['c', '-1'],
      ['d', parseOffset(second)],
    ] as const)
      t.match(await store.create(name, forkOf({ source: 'a', start })), { offset: second, tail: { seq: 2 } });
    t.same(await data('-1', EVERYTHING, 'd'), []);
    await store.create('e', forkOf({ source: 'a' }));
    await append(5);
    await append(6);
    t.same(await data('-1', EVERYTHING, 'e'), [3, 4], 'what the source loses later is kept here');
    await append('own', 'e');
    t.same(await data('-1', EVERYTHING, 'e'), [4, 'own'], 'by its own retention');
  });

  t.test('fork / of what has grown too old → nothing of it', async (t) => {
    const { store, append, data, clock } = await desk(t, { ageMs: 1000 });
    const old = await append('old');
    clock.ms += 600;
    await append('young');
    clock.ms += 401;
    const start = parseOffset(old);
    await store.create('b', forkOf({ source: 'a', start, skip: 1 }));
    t.same(await data('-1', EVERYTHING, 'b'), ['young']);
    await store.create('c', forkOf({ source: 'a', start: '-1' }));
    t.match(await store.create('d', forkOf({ source: 'a', start })), { offset: old });
    clock.ms += 1000;
    await t.rejects(store.create('e', forkOf({ source: 'a', start })), refused('gone'));
    t.same(await data('-1', EVERYTHING, 'c'), []);
  });
}
