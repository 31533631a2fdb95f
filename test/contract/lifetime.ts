import type { Test } from 'tap';
import type { Lifetime } from '../../src/store/creation.js';
import type { Desk, MakeDesk } from './desk.js';
import { LONG_MS, watcher } from './desk.js';

const TTL: { readonly lifetime: Lifetime } = { lifetime: { ttlSeconds: 10 } };
const there = async ({ store }: Desk, channel = 'a') => (await store.stat(channel)) !== undefined;

/** Channels that end by themselves. */
export async function lifetimeContract(t: Test, desk: MakeDesk): Promise<void> {
  const uses: Record<string, (desk: Desk) => Promise<unknown>> = {
    'a read': ({ read }) => read(),
    'a read at the tail': ({ read }) => read('now'),
    'an append': ({ append }) => append(1),
    'a close': ({ store }) => store.close('a'),
    'an append that closes': ({ batch }) => batch([], { closes: true }),
    'the leaving of a watcher': async ({ store }) => (await store.watch('a', watcher({})))(),
  };
  for (const [name, use] of Object.entries(uses))
    t.test(`ttl / ${name} → it lasts as long again`, async (t) => {
      const made = await desk(t);
      await made.store.create('a', TTL);
      for (const waitedMs of [9999, 5000, 9999]) {
        made.clock.ms += waitedMs;
        await use(made);
        if (name.includes('close')) break; // which is done once
      }
      made.clock.ms += 9999;
      t.ok(await there(made));
      made.clock.ms += 1;
      t.notOk(await there(made));
    });

  const looks: Record<string, (desk: Desk) => unknown> = {
    'a stat': ({ store }) => store.stat('a'),
    'an open': ({ store }) => store.open('a'),
    'a list': ({ store }) => store.list('', 10),
    'a sweep': ({ store }) => store.sweep(),
  };
  for (const [name, look] of Object.entries(looks))
    t.test(`ttl / ${name} → is no use of it`, async (t) => {
      const made = await desk(t);
      await made.store.create('a', TTL);
      made.clock.ms += 9999;
      await look(made);
      t.ok(await there(made));
      made.clock.ms += 1;
      t.notOk(await there(made));
    });

  t.test('ttl / somebody watches → it stays for as long, and then its time begins', async (t) => {
    const made = await desk(t);
    const { store, clock } = made;
    await store.create('a', TTL);
    const heard: string[] = [];
    const [first, second] = [
      await store.watch('a', watcher({ deleted: () => heard.push('deleted') })),
      await store.watch('a', watcher({})),
    ];
    clock.ms += LONG_MS;
    await store.sweep();
    t.ok(await there(made));
    first();
    clock.ms += LONG_MS;
    t.ok(await there(made), 'the other watches');
    second();
    clock.ms += 9999;
    t.ok(await there(made));
    clock.ms += 1;
    t.notOk(await there(made));
    t.same(heard, [], 'who has left is not told');
  });

  t.test('ttl / over before somebody watches → is over', async (t) => {
    const made = await desk(t);
    await made.store.create('a', TTL);
    made.clock.ms += 10_000;
    await made.store.watch('a', watcher({}));
    t.notOk(await there(made));
  });

  t.test('ttl / of zero seconds → over at once', async (t) => {
    const made = await desk(t);
    t.match(await made.store.create('a', { lifetime: { ttlSeconds: 0 } }), { created: true });
    t.notOk(await there(made));
  });

  t.test('expiresAt / read, written and watched → over when it comes', async (t) => {
    const made = await desk(t);
    const { store, clock, append, read } = made;
    const lifetime = { expiresAt: clock.ms + 60_000 };
    await store.create('a', { lifetime });
    await store.watch('a', watcher({}));
    clock.ms += 59_999;
    await append(1);
    await read();
    t.match(await store.stat('a'), { lifetime });
    clock.ms += 1;
    t.notOk(await there(made));
  });

  t.test('lifetime / both → whichever comes first', async (t) => {
    const made = await desk(t);
    const { store, clock, read } = made;
    await store.create('a', { lifetime: { ttlSeconds: 10, expiresAt: clock.ms + 15_000 } });
    await store.create('b', { lifetime: { ttlSeconds: 10, expiresAt: clock.ms + 15_000 } });
    clock.ms += 9000;
    await read();
    clock.ms += 5999;
    t.same([await there(made), await there(made, 'b')], [true, false]);
    clock.ms += 1;
    t.notOk(await there(made));
  });

  t.test('lifetime / none → it stays', async (t) => {
    const made = await desk(t);
    await made.store.create('a');
    made.clock.ms += LONG_MS;
    await made.store.sweep();
    t.ok(await there(made));
  });
}

/** What is left where a lifetime is over. */
export async function overContract(t: Test, desk: MakeDesk): Promise<void> {
  /** A channel whose time is over, and nobody has asked for it since. */
  const over = async (t: Test) => {
    const made = await desk(t);
    await made.store.create('a', TTL);
    const offset = await made.append('old');
    const { epoch } = await made.store.open('a');
    made.clock.ms += 10_000;
    return { ...made, store: made.store, clock: made.clock, offset, epoch };
  };

  t.test('over / asked for → there is no such channel', async (t) => {
    t.same(await (await over(t)).store.list('', 10), []);
    t.equal(await (await over(t)).store.stat('a'), undefined);
    t.equal(await (await over(t)).store.delete('a'), false);
    await t.rejects((await over(t)).batch([1], { creates: false }), { name: 'Refused', code: 'not_found' });
    await t.rejects((await over(t)).store.create('b', { fork: { source: 'a' } }), { code: 'not_found' });
  });

  t.test('over / opened, read, written to or made → a later life', async (t) => {
    const opened = await over(t);
    t.ok((await opened.store.open('a')).epoch > opened.epoch);
    const readAgain = await over(t);
    t.match(await readAgain.read(readAgain.offset), { messages: [], lost: 'reset', seq: 0 });
    const written = await over(t);
    t.ok((await written.append('new')) > written.offset);
    t.same(await written.data(), ['new']);
    t.match(await written.store.stat('a'), { lifetime: {} }, 'which has no lifetime unless it is given one');
    const { store, epoch } = await over(t);
    const made = await store.create('a', { contentType: 'text/plain' });
    t.match(made, { created: true, tail: { seq: 0 }, contentType: 'text/plain' });
    t.ok(made.tail.epoch > epoch);
  });

  t.test('over / closed, with producers and an order → forgotten with it', async (t) => {
    const { store, clock, produce } = await desk(t);
    await store.create('a', TTL);
    await produce('p', 7, 0, 'x', { order: 'z', closes: true });
    clock.ms += 10_000;
    t.match(await produce('p', 0, 0, 'y', { order: 'a' }), { duplicate: false, closed: false });
  });

  t.test('over / nobody asks, the sweep comes by → its watchers are told', async (t) => {
    const { store, clock } = await desk(t);
    const heard: string[] = [];
    await store.create('a', { lifetime: { expiresAt: clock.ms + 1000 } });
    await store.watch('a', watcher({ deleted: () => heard.push('deleted') }));
    clock.ms += 999;
    for (let times = 0; times < 3; times++) await store.sweep();
    await store.ping();
    t.same(heard, []);
    clock.ms += 1;
    for (let times = 0; times < 3; times++) await store.sweep();
    await store.ping();
    t.same(heard, ['deleted'], 'once');
    t.same(await store.list('', 10), []);
  });

  t.test(
    'over / somebody asks before the sweep → its watchers are told, and hear the next life',
    async (t) => {
      const { store, clock, append } = await desk(t);
      const heard: string[] = [];
      await store.create('a', { lifetime: { expiresAt: clock.ms + 1000 } });
      await store.watch(
        'a',
        watcher({ deleted: () => heard.push('deleted'), appended: ({ offset }) => heard.push(offset) }),
      );
      clock.ms += 1000;
      const offset = await append(1);
      t.same(heard, ['deleted', offset]);
    },
  );
}
