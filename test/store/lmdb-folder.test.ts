import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Position, Start } from '../../src/protocol/offset.js';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';
import { backUp } from '../../src/store/lmdb/folder/backup.js';
import { LmdbStore } from '../../src/store/lmdb/lmdb-store.js';
import { Epochs } from '../../src/store/log/epochs.js';
import type { LogState } from '../../src/store/log/log-state.js';
import { emptyState, tornState } from '../../src/store/log/log-state.js';
import type { Store } from '../../src/store/store.js';
import { dataFolder } from '../support/spawn.js';

const ALL = { messages: 1e9, bytes: 1e9 };
const KEEP_ALL = () => ({ messages: 1e9, ageMs: 1e12, bytes: 1e12 });
const message = (data: string) => ({ from: 'ann', data });

/** What is in a folder, by the names of its files, but for the lock that LMDB writes anew. */
function contentOf(path: string): Record<string, string> {
  const names = readdirSync(path).filter((name) => name !== 'lock.mdb');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'latin1')]));
}

async function opened(t: Test, path: string, now?: () => number): Promise<Store> {
  const store = await LmdbStore.open({ path, retention: KEEP_ALL, ...(now && { now }) });
  t.teardown(() => store.end());
  return store;
}

/** Everything that a store tells of a channel. */
async function all(store: Store, channel: string) {
  return { page: await store.read(channel, '-1', ALL), stat: await store.stat(channel) };
}

t.test('folder / opened again → everything is as it was', async (t) => {
  const path = dataFolder(t);
  const first = await opened(t, path, () => 1_800_000_000_000);
  const producer = { id: 'p', epoch: 3, seq: 0 };
  await first.append('text', [message('"1"'), message('"2"')], { producer });
  await first.append('text', [{ ...message('"3"'), meta: '{"a":1}' }]);
  await first.create('bytes', { contentType: 'text/plain', whole: true });
  await first.append('bytes', [{ from: '', data: Buffer.from('héllo') }], { contentType: 'text/plain' });
  await first.create('fork', { fork: { source: 'text', start: '-1', skip: 1 }, messages: [message('"4"')] });
  await first.create('short', { lifetime: { ttlSeconds: 10 } });
  await first.append('closed', [message('1')], { closes: true });
  const blank = await first.open('blank');
  const cut = await first.append('gone', [message('1')]);
  await first.delete('gone');
  const names = ['text', 'bytes', 'fork', 'short', 'closed'];
  const before = await Promise.all(names.map((name) => all(first, name)));
  await first.end();

  const clock = { ms: 1_800_000_000_000 };
  const second = await opened(t, path, () => clock.ms);
  t.same(await Promise.all(names.map((name) => all(second, name))), before);
  t.same(await second.list('', 100), [...names].sort());
  t.same(await second.open('blank'), blank, 'a channel that was only looked at has kept its epoch');
  t.match(await second.append('text', [message('"1"'), message('"2"')], { producer }), { duplicate: true });
  await t.rejects(second.append('text', [message('1')], { producer: { ...producer, epoch: 2 } }), {
    code: 'fenced',
  });
  const { offset } = await second.append('text', [message('"5"')]);
  t.ok(offset > (before[0]?.page.messages.at(-1)?.offset ?? ''), 'offsets go on');
  t.match(await second.read('gone', parseOffset(cut.offset), ALL), { lost: 'reset' }, 'another life');
  clock.ms += 10_001;
  t.equal(await second.stat('short'), undefined, 'its time runs on while nobody serves it');
});

t.test(
  'folder / a clock that is set back between two processes → lives of a channel still go up',
  async (t) => {
    const path = dataFolder(t);
    const first = await opened(t, path, () => 1_800_000_000_000);
    const { offset } = await first.append('a', [message('1')]);
    await first.delete('a');
    await first.end();
    const second = await opened(t, path, () => 1_700_000_000_000);
    t.ok((await second.append('a', [message('1')])).offset > offset);
  },
);

t.test('folder / made where it is not there, for its user alone', async (t) => {
  const path = join(dataFolder(t), 'deeper', 'still');
  const store = await opened(t, path);
  await store.append('a', [message('1')]);
  t.equal(statSync(path).mode & 0o077, 0);
});

t.test('folder / a second store in the same process → refused, and the first goes on', async (t) => {
  const path = dataFolder(t);
  const store = await opened(t, path);
  await t.rejects(LmdbStore.open({ path }), {
    name: 'FolderFault',
    message: `the data folder ${path} is in use by this process: a folder has one server at a time`,
  });
  await store.append('a', [message('1')]);
  await store.end();
  const again = await opened(t, path);
  t.equal((await again.read('a', '-1', ALL)).messages.length, 1);
});

t.test('folder / several want it at once → one has it', async (t) => {
  const path = dataFolder(t);
  const tries = await Promise.allSettled(Array.from({ length: 5 }, () => LmdbStore.open({ path })));
  const had = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  for (const store of had) t.teardown(() => store.end());
  t.equal(had.length, 1);
  const refused = tries.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
  t.equal(refused.filter((line) => / is in use by this process: /.test(line)).length, 4, refused.join('\n'));
});

t.test('store / ended → everything is refused, and ended again', async (t) => {
  const store = await opened(t, dataFolder(t));
  await store.append('a', [message('1')]);
  await Promise.all([store.end(), store.end()]);
  const refused = { name: 'Refused', code: 'unavailable' };
  await t.rejects(store.append('a', [message('1')]), refused);
  await t.rejects(store.read('a', '-1', ALL), refused);
  await t.rejects(store.stat('a'), refused);
  await store.end();
});

t.test('store / ended while much is on its way → what was accepted is there', async (t) => {
  const path = dataFolder(t);
  const store = await opened(t, path);
  const answers = Array.from({ length: 2000 }, (_, each) => store.append('a', [message(String(each))]));
  const [settled] = await Promise.all([Promise.allSettled(answers), store.end()]);
  const accepted = settled.filter(({ status }) => status === 'fulfilled').length;
  t.equal(accepted, 2000, 'what had come before the end');
  const again = await opened(t, path);
  t.equal((await again.read('a', '-1', ALL)).messages.length, 2000);
});

interface Damage {
  readonly what: string;
  readonly line: RegExp;
  do(path: string): void;
}

const file = (path: string) => join(path, 'data.mdb');
const marker = (path: string) => join(path, 'earshot.json');
/** Damages of a folder that holds a few megabytes. */
const DAMAGES: readonly Damage[] = [
  {
    what: 'cut in half',
    line: /is damaged: /,
    do: (path) => truncateSync(file(path), statSync(file(path)).size / 2),
  },
  { what: 'cut to one page', line: /is damaged: /, do: (path) => truncateSync(file(path), 4096) },
  { what: 'empty', line: /is damaged: data\.mdb is empty$/, do: (path) => truncateSync(file(path), 0) },
  {
    what: 'not there',
    line: /is damaged: data\.mdb is not there$/,
    do: (path) => renameSync(file(path), join(path, 'data.lost')),
  },
  { what: 'zeros', line: /is damaged: /, do: (path) => overwrite(path, 0, 1e9, () => 0) },
  {
    what: 'other text',
    line: /is damaged: /,
    do: (path) => writeFileSync(file(path), 'hello\n'.repeat(10_000)),
  },
  { what: 'zeros in the middle', line: /is damaged: /, do: (path) => overwrite(path, 0.1, 1e6, () => 0) },
  {
    what: 'noise in the middle',
    line: /is damaged: /,
    do: (path) => overwrite(path, 0.1, 1e6, (at) => (at * 7919) % 251),
  },
  {
    what: 'with a marker that is no JSON',
    line: /is damaged: earshot\.json is not what Earshot writes$/,
    do: (path) => writeFileSync(marker(path), '{"format":'),
  },
  {
    what: 'of a newer version',
    line: /was made by a newer version of Earshot: its format is 2, and this version reads 1$/,
    do: (path) => writeFileSync(marker(path), '{"format":2,"other":true}\n'),
  },
];

/** Writes other bytes over some of the file, from a part of its length on. */
function overwrite(path: string, from: number, bytes: number, byteAt: (at: number) => number): void {
  const { size } = statSync(file(path));
  const start = Math.floor(size * from);
  const descriptor = openSync(file(path), 'r+');
  writeSync(
    descriptor,
    Buffer.from(Array.from({ length: Math.min(bytes, size - start) }, (_, at) => byteAt(at))),
    0,
    undefined,
    start,
  );
  closeSync(descriptor);
}

async function filled(t: Test): Promise<string> {
  const path = dataFolder(t);
  const store = await opened(t, path);
  const batch = Array.from({ length: 500 }, (_, each) => message(JSON.stringify(`${each}`.repeat(300))));
  for (const channel of ['a', 'b', 'c', 'd']) await store.append(channel, batch);
  await store.end();
  return path;
}

for (const { what, line, do: damage } of DAMAGES)
  t.test(`folder / ${what} → one line that says so, and nothing in it is changed`, async (t) => {
    const path = await filled(t);
    damage(path);
    const before = contentOf(path);
    const fault = await LmdbStore.open({ path }).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.match(fault, { name: 'FolderFault', message: line });
    t.match(fault, { message: new RegExp(`^the data folder ${path} `) });
    t.notMatch(fault, { message: /\n/ });
    t.same(contentOf(path), before);
  });

t.test('folder / a place that cannot be one → one line', async (t) => {
  const path = dataFolder(t);
  writeFileSync(path, 'a file');
  await t.rejects(LmdbStore.open({ path }), {
    message: `the data folder ${path} cannot be used: it is not a folder`,
  });
  await t.rejects(LmdbStore.open({ path: join(path, 'below') }), {
    message: `the data folder ${join(path, 'below')} cannot be used: it is not a folder`,
  });
  t.equal(readFileSync(path, 'utf8'), 'a file');
});

/** What is left of a folder by a process that was killed, on an earlier start of the machine or on this one. */
async function killedOn(path: string, boot: string): Promise<void> {
  const { ino } = statSync(file(path), { bigint: true });
  writeFileSync(marker(path), JSON.stringify({ format: 1, run: { boot, inode: String(ino) } }));
}

const THIS_BOOT = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

t.test('folder / killed, on the same start of the machine → offsets go on in the same epoch', async (t) => {
  const path = dataFolder(t);
  const first = await opened(t, path);
  const { offset } = await first.append('a', [message('1')]);
  await first.end();
  await killedOn(path, THIS_BOOT());
  const second = await opened(t, path);
  const later = await second.append('a', [message('2')]);
  t.equal(later.offset.split('_')[0], offset.split('_')[0]);
});

t.test(
  'folder / the machine ended → what may be lost is told, and its offsets are not given out again',
  async (t) => {
    const path = dataFolder(t);
    const first = await opened(t, path);
    const offsets: string[] = [];
    for (const each of ['1', '2']) offsets.push((await first.append('a', [message(each)])).offset);
    await first.end();
    await killedOn(path, 'an earlier one');

    const second = await opened(t, path);
    const [one = '', two = ''] = offsets;
    const neverWritten: Position = { epoch: two.split('_')[0] ?? '', seq: 3 }; // given out, and the disk has not got it
    t.match(await second.read('a', parseOffset(two), ALL), { messages: [], lost: undefined, offset: two });
    t.match(await second.read('a', neverWritten, ALL), { messages: [], lost: 'reset', offset: two });
    const { offset: three } = await second.append('a', [message('3')]);
    t.not(three, formatOffset(neverWritten.epoch, 3));
    t.ok(three > formatOffset(neverWritten.epoch, 3), 'but one after it');
    const dataAfter = async (start: Start) => {
      const { messages, lost, offset } = await second.read('a', start, ALL);
      return [messages.map(({ data }) => data), lost, offset];
    };
    t.same(await dataAfter(parseOffset(one)), [['2', '3'], undefined, three]);
    t.same(await dataAfter(neverWritten), [['3'], 'reset', three], 'and nothing that it had before');
    await t.rejects(second.read('a', parseOffset(three.replace(/3$/, '4')), ALL), { code: 'bad_offset' });
    t.same(
      (await second.read('a', '-1', ALL)).messages.map(({ offset }) => offset),
      [one, two, three],
    );
    const fork = { fork: { source: 'a', start: parseOffset(two) } };
    t.match(await second.create('fork', fork), { created: true, offset: two });
    await t.rejects(second.read('fork', neverWritten, ALL), { code: 'bad_offset' }, 'the fork never had it');
  },
);

t.test('log / torn again and again → the last hundred tears are remembered', (t) => {
  let state: LogState = {
    ...emptyState({ epoch: 'e0', contentType: 'a/b', lifetime: {}, whole: true }, 0),
    tailSeq: 1,
  };
  for (let tear = 1; tear <= 150; tear++) state = { ...tornState(state, `e${tear}`), tailSeq: tear + 1 };
  const epochs = new Epochs(state.epoch, state.stretches);
  t.equal(state.stretches.length, 100);
  t.same([epochs.at(151), epochs.at(150), epochs.at(51)], ['e150', 'e149', 'e50']);
  const beyond = (tear: number) => epochs.lostAfter({ epoch: `e${tear}`, seq: 1000 });
  t.same([beyond(149), beyond(50), beyond(49), beyond(150)], [150, 51, 0, undefined]);
  t.same(
    tornState({ ...state, startSeq: 151 }, 'last').stretches,
    [{ epoch: 'e150', end: 151, torn: true }],
    'of what is kept',
  );
  t.end();
});

t.test('backUp / while the store goes on → a folder of its own, as it was then', async (t) => {
  const path = dataFolder(t);
  const copy = dataFolder(t);
  const store = await opened(t, path);
  const producer = { id: 'p', epoch: 0, seq: 0 };
  const { offset } = await store.append('a', [message('1')], { producer });
  const writes = Array.from({ length: 300 }, (_, each) => store.append('b', [message(String(each))]));
  await backUp(path, copy);
  await Promise.all(writes);
  const { offset: later } = await store.append('a', [message('2')]);
  t.match(await store.append('a', [message('1')], { producer }), { duplicate: true });

  const other = await opened(t, copy);
  t.same(
    (await other.read('a', '-1', ALL)).messages.map(({ data }) => data),
    ['1'],
  );
  const { messages } = await other.read('b', '-1', ALL);
  t.same(
    messages.map(({ data }) => data),
    messages.map((_, at) => String(at)),
    'no hole',
  );
  t.match(await other.append('a', [message('1')], { producer }), { duplicate: true, offset });
  t.match(
    await other.read('a', parseOffset(later), ALL),
    { lost: 'reset', offset },
    'a reader of the original',
  );
  await other.append('a', [message('other 2')]);
  t.match(await other.read('a', parseOffset(later), ALL), { lost: 'reset', messages: [{ data: 'other 2' }] });
});

t.test('backUp / from what is no data folder, or onto something → refused, nothing changed', async (t) => {
  const [path, copy] = [dataFolder(t), dataFolder(t)];
  await t.rejects(backUp(path, copy), { message: `the data folder ${path} has no data of Earshot in it` });
  const store = await opened(t, path);
  await store.append('a', [message('1')]);
  await backUp(path, copy);
  const before = contentOf(copy);
  const line = `the data folder ${copy} is not empty: a backup is not written over anything`;
  await t.rejects(backUp(path, copy), { message: line });
  t.same(contentOf(copy), before);
});
