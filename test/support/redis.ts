import type { RedisOptions, RedisServer } from './redis-server.js';
import { authority, launch } from './redis-server.js';
import type { Teardown } from './spawn.js';

export type { RedisOptions, RedisServer };

export interface RedisCluster {
  /** `redis+cluster://127.0.0.1:12345,127.0.0.1:12346,127.0.0.1:12347` */
  readonly url: string;
  readonly servers: readonly RedisServer[];
}

export interface RedisSentinel {
  /** `redis+sentinel://127.0.0.1:12345/earshot` */
  readonly url: string;
  /** What the sentinel calls the master. */
  readonly name: string;
  /** The one that is the master at first, and the other. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;
  /** Resolves when the sentinel has made the other one the master, after the last time that it did. */
  waitForFailover(): Promise<void>;
}

const MASTERS = 3;
const SLOTS = 16_384;
/** A member that is silent for so long is held to be gone. A machine that is busy must not look like that. */
const SILENT_MS = 1000;
const NAME = 'earshot';

/** One that keeps nothing on the disk, unless it is told to. */
export function redisServer(t: Teardown, options: RedisOptions = {}): Promise<RedisServer> {
  return launch(t, options, () => []);
}

/** Three masters with a third of the slots each, when all of them know that. They keep that through a restart. */
export async function redisCluster(t: Teardown, options: RedisOptions = {}): Promise<RedisCluster> {
  const launched = Array.from({ length: MASTERS }, () =>
    launch(t, options, ({ busPort, folder }) => [
      'cluster-enabled yes',
      `cluster-port ${busPort}`,
      `cluster-config-file ${folder}/nodes.conf`, // not with the data: who starts empty is still a member
      `cluster-node-timeout ${SILENT_MS}`,
      'cluster-announce-ip 127.0.0.1',
    ]),
  );
  const servers = await Promise.all(launched);
  const first = (master: number) => Math.ceil((SLOTS * master) / MASTERS);
  for (const [at, server] of servers.entries()) {
    await server.command('CLUSTER', 'ADDSLOTSRANGE', first(at), first(at + 1) - 1);
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', at + 1);
  }
  const [one, ...others] = servers;
  for (const { port, busPort } of others) await one?.command('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
  await Promise.all(servers.map((server) => server.says(/Cluster state changed: ok/)));
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`);
  return { servers, url: `redis+cluster://${authority('', options.password ?? '')}${hosts.join()}` };
}

/** A master, a replica that has all that it has, and one sentinel that decides alone and soon. */
export async function redisSentinel(t: Teardown): Promise<RedisSentinel> {
  const atOnce = ['repl-diskless-sync-delay 0'];
  const master = await launch(t, {}, () => atOnce);
  const replica = await launch(t, {}, () => [...atOnce, `replicaof 127.0.0.1 ${master.port}`]);
  await master.says(/Synchronization with replica .* succeeded/);
  const sentinel = await launch(
    t,
    {},
    () => [
      `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${NAME} ${SILENT_MS}`,
      `sentinel failover-timeout ${NAME} ${3 * SILENT_MS}`,
    ],
    ['--sentinel'],
  );
  await sentinel.says(/\+slave slave/);
  return {
    url: `redis+sentinel://127.0.0.1:${sentinel.port}/${NAME}`,
    name: NAME,
    master,
    replica,
    sentinel,
    waitForFailover: async () => void (await sentinel.says(/\+switch-master/)),
  };
}
