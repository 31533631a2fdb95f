import type { Test } from 'tap';
import type { StoredMessage } from '../../src/store/message.js';
import type { MakeDesk } from './desk.js';
import { dataOf, LONG_MS, watcher } from './desk.js';

/** How much is kept, and what readers are told of the rest. */
export async function retentionContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('retention / by count → the oldest go, and who stood there is told so', async (t) => {
    const { append, read, data } = await desk(t, { messages: 2 });
    const [first, second] = [await append(1), await append(2)];
    await append(3);
    await append(4);
    t.same(await data(), [3, 4]);
    const page = await read(first);
    t.equal(page.lost, 'retention');
    t.same(dataOf(page), [3, 4], 'what is kept comes');
    t.match(await read(second), { lost: undefined }, 'after the last that is gone nothing is missing');
    t.match(await read('-1'), { lost: undefined }, 'the beginning is the beginning of what is kept');
    t.match(await read('now'), { lost: undefined });
  });

  t.test('retention / lost and bounded → the page begins at the oldest kept', async (t) => {
    const { append, read } = await desk(t, { messages: 3 });
    const first = await append(1);
    for (const each of [2, 3, 4, 5]) await append(each);
    const page = await read(first, { messages: 1, bytes: 1e6 });
    t.match(page, { lost: 'retention', upToDate: false });
    t.same(dataOf(page), [3]);
    t.same(dataOf(await read(page)), [4, 5]);
  });

  t.test('retention / by age → old ones go with time alone', async (t) => {
    const { append, read, data, clock } = await desk(t, { ageMs: 1000 });
    const first = await append('old');
    clock.ms += 600;
    await append('young');
    clock.ms += 400;
    t.same(await data(), ['old', 'young'], 'at the age itself it is still kept');
    clock.ms += 1;
    t.same(await data(), ['young']);
    clock.ms += 1000;
    const page = await read(first);
    t.match(page, { messages: [], lost: 'retention', upToDate: true });
    t.same(await data(page), [], 'the position that it gave is good');
    t.match(await read(page), { lost: undefined });
  });

  t.test('retention / by bytes → the oldest go', async (t) => {
    const { append, data } = await desk(t, { bytes: 3000 });
    for (const each of ['a', 'b', 'c', 'd']) await append(each.repeat(1000));
    const kept = await data();
    t.same(
      kept.map((each) => String(each)[0]),
      ['c', 'd'],
    );
  });

  t.test('retention / none → only what is in flight: told to watchers, never read', async (t) => {
    const { store, append, read } = await desk(t, { messages: 0 });
    const heard: StoredMessage[] = [];
    await store.watch('a', watcher({ appended: (message) => heard.push(message) }));
    const tail = await store.open('a');
    const offset = await append('flying');
    t.match(heard, [{ offset, data: '"flying"' }]);
    t.match(await read('-1'), { messages: [], seq: 1, upToDate: true });
    t.match(await read(tail), { messages: [], lost: 'retention', seq: 1, upToDate: true });
    t.match(await read(offset), { messages: [], lost: undefined, upToDate: true });
  });

  t.test('sweep / after long → frees, and no position goes bad', async (t) => {
    const { store, append, read, clock } = await desk(t, { ageMs: 1000 });
    const unwatch = await store.watch('a', watcher({}));
    const offset = await append('old');
    clock.ms += LONG_MS;
    for (let times = 0; times < 3; times++) await store.sweep();
    t.match(await read(offset), { messages: [], lost: undefined, upToDate: true });
    unwatch();
  });
}
