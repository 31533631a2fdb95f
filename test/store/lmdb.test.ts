import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { LmdbStore } from '../../src/store/lmdb/lmdb-store.js';
import { boundsContract } from '../contract/bounds.js';
import { storeContract } from '../contract/store.js';

// Every step is a commit: some 20 s where nothing else runs.
t.setTimeout(300_000);

const root = mkdtempSync(join(tmpdir(), 'earshot-lmdb-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folder = () => join(root, String(++folders));

t.test('LmdbStore / the contract of every store', async (t) => {
  storeContract(t, ({ retention, now }) =>
    LmdbStore.open({ path: folder(), retention: () => retention, now }),
  );
});

t.test('LmdbStore / at its bounds', async (t) => {
  boundsContract(t, (options) => LmdbStore.open({ path: folder(), ...options }));
});
