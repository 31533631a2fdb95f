import type { Cluster, ClusterOptions, CommonRedisOptions, Redis } from 'ioredis';
import type { RedisAddress } from './address.js';

/** Redis, as the library has it: a server, or several of them. */
export type Client = Redis | Cluster;

/** The options that we give. */
type Options = Omit<CommonRedisOptions, 'replyMapping'> & {
  readonly replyMapping: 'legacy';
  readonly tls?: object;
  readonly host?: string;
  readonly port?: number;
};

/** A Redis that says nothing for so long is taken for gone: together with what it takes to say so, less than 3 s. */
const SILENT_MS = 2000;
const CONNECT_MS = 2000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/** One to ask by, and one to hear by; of a cluster it is the same, which has a connection of each kind to every master. */
export async function clientsOf(address: RedisAddress): Promise<{ client: Client; listener: Client }> {
  const library = await import('ioredis');
  if (address.kind === 'cluster') {
    const client = new library.Cluster([...address.hosts], clusterOptions(sharedOptions(address)));
    return { client, listener: client };
  }
  const options = { ...serverOptions(address), ...(address.kind === 'sentinel' && sentinelOptions(address)) };
  const client = new library.Redis({ ...options, enableAutoPipelining: true });
  return { client, listener: new library.Redis(options) };
}

/** Nothing is queued or done again by the library: who has asked decides that. */
function sharedOptions({ user, password, tls }: RedisAddress): Options {
  return {
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    replyMapping: 'legacy',
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectionName: 'earshot',
  };
}

function serverOptions(address: RedisAddress): Options {
  return {
    ...sharedOptions(address),
    ...(address.kind === 'server' && address.hosts[0]),
    db: address.db,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: pauseMs,
    reconnectOnError: (error) => error.message.startsWith('READONLY'), // a failover has made a replica of it
  };
}

/** The sentinels have the same password and TLS as what they watch, where there are any. */
function sentinelOptions({ hosts, master, user, password, tls }: RedisAddress) {
  return {
    sentinels: [...hosts],
    name: master,
    ...(user !== undefined && { sentinelUsername: user }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    sentinelRetryStrategy: pauseMs,
    failoverDetector: true,
  };
}

function clusterOptions(redisOptions: Options): ClusterOptions & { redisOptions: Options } {
  return {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoPipeliningIgnoredCommands: ['ssubscribe', 'sunsubscribe', 'ping'],
    shardedSubscribers: true,
    clusterRetryStrategy: pauseMs,
    slotsRefreshInterval: 2000,
    maxRedirections: 4,
  };
}

/** At random, so that all nodes of a service don't come at once. */
function pauseMs(times: number): number {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(times, 10));
  return most * (0.5 + Math.random() / 2);
}
