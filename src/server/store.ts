import type { Bus } from '../core/neighbours/bus.js';
import type { PolicyTable } from '../core/policy/table.js';
import { FolderFault } from '../store/lmdb/folder/fault.js';
import type { LmdbStoreOptions } from '../store/lmdb/lmdb-store.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { parseRedisAddress } from '../store/redis/link/address.js';
import { RedisStore } from '../store/redis/redis-store.js';
import { KEEP_EVERYTHING } from '../store/retention.js';
import type { Retention, Store } from '../store/store.js';
import type { EarshotOptions, ResolvedOptions } from './options/options.js';
import { isInRedis } from './options/options.js';
import type { Log } from './report/journal.js';

/** A store, and where the nodes that share it hear each other. */
export interface Stored {
  readonly store: Store;
  readonly bus: Bus | undefined;
}

/**
 * The store that the options ask for; one that is handed in is its owner's to end. Throws a `FolderFault` or a
 * `RedisFault`.
 */
export async function storeFor(
  { store, bus, data, dev, fsync, limits: { maxChannels, maxStoreBytes: maxBytes } }: ResolvedOptions,
  policy: PolicyTable,
  log: Log,
): Promise<Stored> {
  if (typeof store === 'object') return { store, bus };
  const shared = { retention: retentionBy(policy), maxChannels, ...(maxBytes !== undefined && { maxBytes }) };
  if (store === 'memory') return { store: new MemoryStore(shared), bus };
  const told = {
    onFault: (error: Error) => log.error({ err: error }, 'the store failed'),
    onRecovery: () => log.info({}, 'the store takes messages again'),
  };
  if (isInRedis(store)) {
    const onWarning = (text: string) => log.warn({}, text);
    const redis = await RedisStore.open({ ...shared, ...told, onWarning, address: parseRedisAddress(store) });
    return { store: redis, bus: bus ?? redis.broadcast };
  }
  const path = dataPath({ data, dev });
  const lmdb = await openLmdbStore({ ...shared, ...told, path, ...(fsync !== undefined && { fsync }) });
  return { store: lmdb, bus };
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
