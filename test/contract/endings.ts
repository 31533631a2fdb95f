import type { Test } from 'tap';
import { formatOffset } from '../../src/protocol/offset.js';
import type { Page, Tail } from '../../src/store/store.js';
import type { MakeDesk } from './desk.js';
import { dataOf, endOf, parsed, watcher } from './desk.js';

/** Closing and deleting. */
export async function endingContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('close / a log with messages → read on, append refused', async (t) => {
    const { store, append, read } = await desk(t);
    const offset = await append(1);
    const tail = await store.close('a');
    t.match(tail, { seq: 1, closed: true });
    t.equal(endOf(tail), offset);
    await t.rejects(append(2), { name: 'Refused', code: 'closed' });
    const page = await read();
    t.same(dataOf(page), [1]);
    t.match(page, { upToDate: true, closed: true });
    t.match(await store.open('a'), { seq: 1, closed: true });
    t.same(await store.close('a'), tail, 'closing twice is closing once');
  });

  t.test('close / an accepted message is repeated → still answered', async (t) => {
    const { store, produce } = await desk(t);
    const first = await produce('p', 0, 0);
    await store.close('a');
    t.same(await produce('p', 0, 0), { ...first, duplicate: true, closed: true });
    await t.rejects(produce('p', 0, 1), { code: 'closed' });
    await t.rejects(produce('q', 0, 0), { code: 'closed' });
  });

  t.test('close / a channel that does not exist → is closed from the first', async (t) => {
    const { store, append } = await desk(t);
    t.match(await store.close('a'), { seq: 0, closed: true });
    await t.rejects(append(1), { code: 'closed' });
  });

  t.test('delete / and made again → a later life: reset, and no offset twice', async (t) => {
    const { store, append, read, data, clock } = await desk(t);
    const offsets: string[] = [];
    for (const setBackMs of [0, 0, 5000, 0]) {
      clock.ms -= setBackMs;
      offsets.push(await append(1), await append(2));
      await store.delete('a');
    }
    t.same([...offsets].sort(), offsets, 'also where the clock stands still or is set back');
    t.equal(new Set(offsets).size, 8);
    await append('new');
    for (const offset of offsets) t.match(await read(offset), { lost: 'reset', seq: 1 });
    t.same(await data(offsets[0]), ['new'], 'what is there comes');
  });

  t.test('delete / a reader comes back to nothing → reset at a position that is good', async (t) => {
    const { store, append, read } = await desk(t);
    const offset = await append(1);
    await store.delete('a');
    const page = await read(offset);
    t.match(page, { messages: [], lost: 'reset', seq: 0, upToDate: true, closed: false });
    const next = await append(2);
    t.match(await read(page), { messages: [{ offset: next }], lost: undefined });
    t.ok(next > offset);
  });

  t.test('delete / of a closed log with producers → forgets both', async (t) => {
    const { store, produce, append } = await desk(t);
    await produce('p', 7, 0);
    await store.close('a');
    await store.delete('a');
    t.equal((await produce('p', 0, 0)).duplicate, false);
    await append('open again');
  });

  t.test('delete / what does not exist → is no fault', async (t) => {
    const { store, append, data } = await desk(t);
    await store.delete('a');
    await append(1);
    await store.delete('b');
    t.same(await data(), [1]);
  });
}

/** What is told to those who watch. */
export async function watchContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('watch / an append → heard, and never before it can be read', async (t) => {
    const { store, append, read } = await desk(t);
    const pages: Promise<Page>[] = [];
    const heard: string[] = [];
    await store.watch(
      'a',
      watcher({
        appended: (message, epoch) => {
          heard.push(formatOffset(epoch, message.seq));
          pages.push(read({ epoch, seq: message.seq - 1 }));
        },
      }),
    );
    const offsets = [await append(1), await append(2)];
    t.same(heard, offsets);
    t.same(
      (await Promise.all(pages)).map((page) => page.messages[0]?.offset),
      offsets,
    );
  });

  t.test('watch / a duplicate or a refused append → is not heard', async (t) => {
    const { store, produce, append } = await desk(t);
    const heard: unknown[] = [];
    await store.watch('a', watcher({ appended: ({ data }) => heard.push(parsed(data)) }));
    await produce('p', 0, 0, 'once');
    await produce('p', 0, 0, 'once');
    await t.rejects(produce('p', 0, 5));
    await append('elsewhere', 'b');
    await append('after');
    t.same(heard, ['once', 'after']);
  });

  t.test('watch / several watchers, one ends itself when called → the others hear all', async (t) => {
    const { store, append } = await desk(t);
    const heard: string[] = [];
    const unwatch = await store.watch(
      'a',
      watcher({
        appended: ({ data }) => {
          heard.push(`first ${data}`);
          unwatch();
        },
      }),
    );
    await store.watch('a', watcher({ appended: ({ data }) => heard.push(`second ${data}`) }));
    await append(1);
    await append(2);
    t.same(heard.sort(), ['first 1', 'second 1', 'second 2']);
    unwatch();
    await append(3);
    t.equal(heard.length, 4, 'ending it twice is ending it once');
  });

  t.test('watch / close → told once, with the tail', async (t) => {
    const { store, append } = await desk(t);
    const tails: Tail[] = [];
    await store.watch('a', watcher({ closed: (tail) => tails.push(tail) }));
    await append(1);
    const tail = await store.close('a');
    await store.close('a');
    t.same(tails, [tail]);
  });

  t.test('watch / delete → told, and the next life is heard as well', async (t) => {
    const { store, append } = await desk(t);
    const heard: string[] = [];
    const unwatch = await store.watch(
      'a',
      watcher({ appended: ({ offset }) => heard.push(offset), deleted: () => heard.push('deleted') }),
    );
    const first = await append(1);
    await store.delete('a');
    const second = await append(1);
    t.same(heard, [first, 'deleted', second]);
    unwatch();
    await append(2);
    t.equal(heard.length, 3);
  });
}
