import type { Test } from 'tap';
import type { MakeDesk } from './desk.js';
import { json } from './desk.js';

/** Who names and numbers its messages. */
export async function producerContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('producer / repeats itself → answered as the first time, stored once', async (t) => {
    const { produce, data } = await desk(t);
    const first = await produce('p', 0, 0, 'one');
    t.equal(first.duplicate, false);
    t.same(await produce('p', 0, 0, 'one'), { ...first, duplicate: true });
    t.same(await produce('p', 0, 0, 'one'), { ...first, duplicate: true });
    t.same(await data(), ['one']);
  });

  t.test('producer / repeats itself after many others → answered as the first time', async (t) => {
    const { produce, append, data } = await desk(t);
    const first = await produce('p', 0, 0);
    for (let seq = 1; seq <= 60; seq++) {
      await produce('p', 0, seq);
      await produce('q', 0, seq - 1);
      await append('from nobody');
    }
    t.same(await produce('p', 0, 0), { ...first, duplicate: true, producerSeq: 60 });
    t.equal((await data()).length, 181);
  });

  t.test('producer / the same at once → stored once, one offset', async (t) => {
    const { produce, data } = await desk(t);
    const answers = await Promise.all([produce('p', 0, 0), produce('p', 0, 0), produce('p', 0, 1)]);
    t.same(
      answers.map(({ duplicate }) => duplicate),
      [false, true, false],
    );
    t.equal(answers[1]?.offset, answers[0]?.offset);
    t.same(await data(), [0, 1]);
  });

  t.test('producer / a hole in its numbers → out_of_sequence, and nothing is stored', async (t) => {
    const { produce, data } = await desk(t);
    await t.rejects(produce('p', 0, 1), { code: 'out_of_sequence' }, 'the first is 0');
    await produce('p', 0, 0);
    await t.rejects(produce('p', 0, 2), { code: 'out_of_sequence' });
    await produce('p', 0, 1);
    t.same(await data(), [0, 1]);
  });

  t.test('producer / a later epoch → begins at 0 and fences the earlier', async (t) => {
    const { produce, data } = await desk(t);
    await produce('p', 0, 0, 'old');
    await t.rejects(produce('p', 3, 1), { code: 'out_of_sequence' }, 'a new epoch begins at 0');
    await produce('p', 0, 1, 'still old: the refused one fenced nothing');
    await produce('p', 3, 0, 'new');
    await t.rejects(produce('p', 0, 2), { code: 'fenced' });
    await t.rejects(produce('p', 0, 0), { code: 'fenced' }, 'its repeats as well');
    t.equal((await produce('p', 3, 0)).duplicate, true);
    t.equal((await data()).length, 3);
  });

  t.test('producer / of another name or channel → another count', async (t) => {
    const { store, produce } = await desk(t);
    await produce('p', 5, 0);
    t.equal((await produce('q', 0, 0)).duplicate, false);
    const elsewhere = await store.append('b', [json(1)], { producer: { id: 'p', epoch: 0, seq: 0 } });
    t.equal(elsewhere.duplicate, false);
  });

  t.test('producer / a repeat of what retention took → still a duplicate', async (t) => {
    const { produce, append, data } = await desk(t, { messages: 1 });
    const first = await produce('p', 0, 0);
    await append('newer');
    t.same(await produce('p', 0, 0), { ...first, duplicate: true });
    t.same(await data(), ['newer']);
  });
}
