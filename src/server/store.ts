import type { PolicyTable } from '../core/policy/table.js';
import { FolderFault } from '../store/lmdb/folder/fault.js';
import type { LmdbStoreOptions } from '../store/lmdb/lmdb-store.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { KEEP_EVERYTHING } from '../store/retention.js';
import type { Retention, Store } from '../store/store.js';
import type { EarshotOptions, ResolvedOptions } from './options/options.js';
import type { Log } from './report/journal.js';

/** The store that the options ask for; one that is handed in is its owner's to end. Throws a `FolderFault`. */
export async function storeFor(
  { store, data, dev, fsync, limits: { maxChannels, maxStoreBytes: maxBytes } }: ResolvedOptions,
  policy: PolicyTable,
  log: Log,
): Promise<Store> {
  if (typeof store === 'object') return store;
  const shared = { retention: retentionBy(policy), maxChannels, ...(maxBytes !== undefined && { maxBytes }) };
  if (store === 'memory') return new MemoryStore(shared);
  return openLmdbStore({
    ...shared,
    path: dataPath({ data, dev }),
    fsync,
    onFault: (error) => log.error({ err: error }, 'the store failed'),
    onRecovery: () => log.info({}, 'the store takes messages again'),
  });
}

/** In the working directory. */
const DATA = 'earshot-data';
const DEV_DATA = '.earshot';

/** Where the lmdb store is. */
export function dataPath({ data, dev = false }: Pick<EarshotOptions, 'data' | 'dev'>): string {
  return data ?? (dev ? DEV_DATA : DATA);
}

/** Opens a durable store; see `LmdbStoreOptions`. The library comes with it, and only with it. */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { LmdbStore } = await import('../store/lmdb/lmdb-store.js').catch((error: unknown) => {
    throw new FolderFault(
      options.path,
      `needs the package lmdb, which cannot be loaded here: ${String(error)}`,
    );
  });
  return LmdbStore.open(options);
}

/** What is made to be kept whole loses only what its own rule says. */
function retentionBy(policy: PolicyTable): (channel: string, whole: boolean) => Retention {
  return (channel, whole) => {
    const { retention, ownRetention } = policy.rule(channel);
    return whole ? { ...KEEP_EVERYTHING, ...ownRetention } : retention;
  };
}
