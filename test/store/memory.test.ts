import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { parseOffset } from '../../src/protocol/offset.js';
import { firstAfter } from '../../src/store/first-after.js';
import type { MemoryStoreOptions } from '../../src/store/memory/memory-store.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { DEFAULT_RETENTION } from '../../src/store/retention.js';
import { boundsContract } from '../contract/bounds.js';
import { storeContract } from '../contract/store.js';

t.test('MemoryStore / the contract of every store', async (t) => {
  storeContract(t, ({ retention, now }) => new MemoryStore({ retention: () => retention, now }));
});

t.test('MemoryStore / at its bounds', async (t) => {
  boundsContract(t, (options) => new MemoryStore(options));
});

const ALL = { messages: 1e9, bytes: 1e9 };
const SILENT = { appended: () => {}, closed: () => {}, deleted: () => {}, moved: () => {} };
const message = (data: string) => [{ from: 'ann', data }];

function desk(options: Omit<MemoryStoreOptions, 'now'> = {}) {
  const clock = { ms: 1_800_000_000_000 };
  const store = new MemoryStore({ ...options, now: () => clock.ms });
  const read = async (channel: string) =>
    (await store.read(channel, '-1', ALL)).messages.map(({ data }) => data);
  return { store, clock, read };
}

t.test(
  'defaults / nothing is said → 1,000 messages, a day, 8 MiB, and the clock of the machine',
  async (t) => {
    t.same(DEFAULT_RETENTION, { messages: 1000, ageMs: 86_400_000, bytes: 8_388_608 });
    const store = new MemoryStore();
    const before = Date.now();
    for (let count = 0; count < 1100; count++) await store.append('a', message(String(count)));
    const { messages } = await store.read('a', '-1', ALL);
    t.equal(messages.length, 1000);
    t.equal(messages[0]?.data, '100');
    t.ok((messages[0]?.at ?? 0) >= before);
  },
);

t.test('offsets / of another process, later → another life', async (t) => {
  const { store } = desk({ random: () => 0 });
  const other = desk({ random: () => 0.999 });
  const { offset } = await store.append('a', message('1'));
  await other.store.append('a', message('1'));
  const page = await other.store.read('a', parseOffset(offset), ALL);
  t.equal(page.lost, 'reset', 'made in the same millisecond, too');
});

t.test('memory / a small message cut out of a large frame → does not keep the frame', async (t) => {
  const { store } = desk();
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let each = 0; each < 1000; each++) {
    const frame = `${' '.repeat(60_000)}"a message of some length ${each}"`;
    await store.append('a', message(frame.slice(60_000)));
  }
  collect();
  const grownBytes = process.memoryUsage().heapUsed - before;
  t.ok(grownBytes < 5_000_000, `${grownBytes} bytes for a thousand short messages`);
});

t.test('sweep / many channels → a stretch at a time, all of them in the end', async (t) => {
  const retention = () => ({ ...DEFAULT_RETENTION, ageMs: 500 });
  const { store, clock } = desk({ identityMs: 1000, maxChannels: 5000, retention });
  for (let count = 0; count < 5000; count++) await store.append(`c${count}`, message('1'));
  clock.ms += 1001;
  await store.sweep();
  const room = async () => {
    let made = 0;
    for (; made < 5001; made++) {
      const refused = await store.append(`new${clock.ms}/${made}`, message('1')).catch(() => 'refused');
      if (refused === 'refused') break;
    }
    return made;
  };
  t.equal(await room(), 2000, 'one stretch');
  for (let times = 0; times < 4; times++) await store.sweep();
  clock.ms += 1;
  t.equal(await room(), 3000, 'the rest');
});

t.test('end / → lets go of everything', async (t) => {
  const { store } = desk();
  const heard: unknown[] = [];
  await store.watch('a', { ...SILENT, appended: (each) => heard.push(each) });
  await store.append('a', message('1'));
  await store.end();
  await store.append('a', message('2'));
  t.equal(heard.length, 1);
});

t.test('list / any names, any page → what sorting them all would give', async (t) => {
  const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '/', '9'), maxLength: 4 }));
  const property = fc.property(
    names,
    fc.string({ maxLength: 2 }),
    fc.integer({ min: 0, max: 5 }),
    (all, after, limit) => {
      const expected = [...all]
        .sort()
        .filter((name) => name > after)
        .slice(0, limit);
      const given = firstAfter(all, after, limit);
      if (given.join() !== expected.join()) throw new Error(`${given} instead of ${expected}`);
    },
  );
  fc.assert(property, { numRuns: 500 });
  t.same(firstAfter(['b', 'a'], '', Number.POSITIVE_INFINITY), ['a', 'b']);
});
