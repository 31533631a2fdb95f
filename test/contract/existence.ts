import type { Test } from 'tap';
import { formatOffset } from '../../src/protocol/offset.js';
import type { MakeDesk } from './desk.js';
import { LONG_MS } from './desk.js';

const MESSAGE = { from: 'ann', data: '1' };

/** Which channels there are, and what they are like. */
export async function existenceContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('append / that makes nothing, to a channel that is not there → not_found', async (t) => {
    const { store } = await desk(t);
    await t.rejects(store.append('a', [MESSAGE], { creates: false }), { code: 'not_found' });
    await store.open('a');
    await t.rejects(
      store.append('a', [MESSAGE], { creates: false }),
      { code: 'not_found' },
      'an identity is not enough',
    );
    await store.create('a');
    await store.append('a', [MESSAGE], { creates: false });
    await store.append('b', [MESSAGE]);
    await store.append('b', [MESSAGE], { creates: false });
    t.same(await store.list('', 10), ['a', 'b']);
  });

  t.test('create / once or twice, with readers there already → the identity that they hold', async (t) => {
    const { store } = await desk(t);
    const tail = await store.open('a');
    t.match(await store.create('a'), { created: true, tail });
    await store.append('a', [MESSAGE]);
    t.match(await store.create('a'), { created: false, tail: { ...tail, seq: 1 } });
  });

  t.test('create / and left alone for long → it is still there', async (t) => {
    const { store, clock } = await desk(t);
    const { tail } = await store.create('a');
    clock.ms += LONG_MS;
    await store.sweep();
    t.same(await store.open('a'), tail);
    t.same(await store.list('', 10), ['a']);
    await store.delete('a');
    t.same(await store.list('', 10), []);
    await t.rejects(store.append('a', [MESSAGE], { creates: false }), { code: 'not_found' });
  });

  t.test('stat / a channel with messages → where it begins and ends, and how much there is', async (t) => {
    const made = await desk(t, { messages: 2 });
    const { store, clock } = made;
    t.equal(await store.stat('a'), undefined);
    await store.open('a');
    t.equal(await store.stat('a'), undefined, 'an identity is not enough');
    for (let count = 0; count < 3; count++) await store.append('a', [MESSAGE]);
    const { epoch } = await store.open('a');
    const stat = await store.stat('a');
    t.match(stat, {
      start: { epoch, seq: 1 },
      tail: { epoch, seq: 3, closed: false },
      messages: 2,
      lastAt: clock.ms,
    });
    t.ok((stat?.bytes ?? 0) > 0);
    t.equal(
      (await made.read(formatOffset(epoch, stat?.start.seq ?? 0))).lost,
      undefined,
      'it can be read from there',
    );
    await store.close('a');
    t.match(await store.stat('a'), { tail: { closed: true } });
  });

  t.test('stat / an empty channel → nothing since ever', async (t) => {
    const { store } = await desk(t);
    const { tail } = await store.create('a');
    t.same(await store.stat('a'), {
      start: { epoch: tail.epoch, seq: 0 },
      tail,
      offset: formatOffset(tail.epoch, 0),
      contentType: 'application/json',
      lifetime: {},
      messages: 0,
      bytes: 0,
      lastAt: undefined,
    });
  });

  t.test('list / many, asked for in pages → each once, sorted by bytes', async (t) => {
    const { store } = await desk(t);
    const names = Array.from({ length: 57 }, (_, at) => `${'zyxaA9'[at % 6]}/${(at * 7) % 57}`);
    for (const name of names) await store.append(name, [MESSAGE]);
    const listed: string[] = [];
    for (
      let page = await store.list('', 10);
      page.length > 0;
      page = await store.list(page.at(-1) ?? '', 10)
    ) {
      t.ok(page.length <= 10);
      listed.push(...page);
    }
    t.same(listed, names.sort());
  });

  t.test('append / with notes → read as they were handed over', async (t) => {
    const made = await desk(t);
    await made.store.append('a', [{ ...MESSAGE, meta: '{ "by":"server"}' }]);
    t.match((await made.read()).messages, [{ data: '1', meta: '{ "by":"server"}' }]);
  });
}
