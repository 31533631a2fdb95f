// Who is measured with Redis: servers of a kind, a Redis of their own, and one load on all of them.
import { availableParallelism } from 'node:os';
import { Load, pin } from '../harness/native.mjs';
import { turnsOf } from '../harness/sides.mjs';
import { quartilesOf, takeTurns } from '../harness/windows.mjs';
import * as earshot from '../peers/earshot.mjs';
import * as accelerated from '../peers/earshot-accelerated.mjs';
import * as socketio from '../peers/socket.io.mjs';
import { stop } from '../processes.mjs';
import { startRedis } from './redis.mjs';

export const CORES = availableParallelism();
/** Of the servers and Redis; the load has core 1. */
export const SERVERS_ON = CORES > 2 ? `0,2-${CORES - 1}` : '0';

const withRedis = ({ url }) => ({ store: ['--store', url], redis: url });
export const CONTESTANTS = {
  'earshot/alone': { title: 'Earshot, memory store', peer: earshot, servers: 1 },
  'earshot/one': { title: 'Earshot, one node and Redis', peer: earshot, servers: 1, options: withRedis },
  'earshot/two': { title: 'Earshot, two nodes and Redis', peer: earshot, servers: 2, options: withRedis },
  'accelerated/two': {
    title: 'Earshot, two accelerated nodes and Redis',
    peer: accelerated,
    servers: 2,
    options: withRedis,
  },
  'socket.io/one': {
    title: 'socket.io, one server and Redis',
    peer: socketio,
    servers: 1,
    options: withRedis,
  },
  'socket.io/two': {
    title: 'socket.io, two servers and Redis',
    peer: socketio,
    servers: 2,
    options: withRedis,
  },
};

/** `options` are those of a peer: mode, subscriptions, modulus. */
export async function startContestant(bench, name, options) {
  const { title, peer, servers: count, options: more } = CONTESTANTS[name];
  const redis = more === undefined ? undefined : await startRedis();
  const servers = [];
  for (let at = 0; at < count; at++) {
    const execArgv = bench.profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', bench.profiles];
    servers.push(await peer.start({ ...options, execArgv, ...(redis && more(redis)) }));
  }
  const pids = [...servers.map(({ server }) => server.pid), ...(redis === undefined ? [] : [redis.pid])];
  for (const pid of pids) pin(pid, SERVERS_ON);
  const load = new Load(bench.programs.load, servers[0].server, pids);
  if (options.modulus !== undefined) await load.tell('modulus', options.modulus);
  return {
    name,
    title,
    servers,
    redis,
    load,
    ports: servers.map(({ port }) => port),
    talk: peer.talk(options),
    async stop() {
      load.stop();
      await stop(...servers.map(({ server }) => server));
      await redis?.stop();
    },
  };
}

/** As many to each server; where they can't be divided, the first ones have one more. */
export async function connectTo({ load, talk, ports }, { readers = 0, publishers = 0 }) {
  const share = (count, at) => Math.floor(count / ports.length) + (at < count % ports.length ? 1 : 0);
  for (const [at, port] of ports.entries()) {
    const open = (group, count, steps) =>
      count > 0 && load.open(group, { kind: talk.kind, count, port, steps });
    await open('p', share(publishers, at), talk.publisher);
    await open('r', share(readers, at), talk.reader);
  }
}

/** All contestants on one work, of which `window(contestant, ms)` measures a window. */
export async function measure(bench, contestants, window, turns) {
  const taken = await takeTurns({
    sides: contestants.map((each) => ({ name: each.name, window: (ms) => window(each, ms) })),
    ...turnsOf(bench),
    ...turns,
    ...bench.turns,
  });
  const byName = new Map(contestants.map((each) => [each.name, each]));
  return { ...taken, windows: taken.windows.map((each) => toldApart(each, byName.get(each.name))) };
}

/** What the servers have used, the one that has used most of them, and Redis: µs for each delivery. */
function toldApart(window, { servers, redis }) {
  const each = window.eachNs.map((ns) => ns / 1000 / window.deliveries);
  const own = each.slice(0, servers.length);
  const messages = window.messages > 0 ? window.messages : window.deliveries;
  const forMessage = (us) => (us * window.deliveries) / messages;
  return {
    ...window,
    serversUs: own.reduce((sum, us) => sum + us, 0),
    dearestUs: Math.max(...each),
    messageUs: forMessage(window.cpuUs),
    firstMessageUs: forMessage(own[0]),
    ...(own.length > 1 && { secondMessageUs: forMessage(own[1]) }),
    ...(redis !== undefined && { redisMessageUs: forMessage(each.at(-1)) }),
    coreShare: window.cpuNs / window.wallNs,
    ...(redis !== undefined && { redisUs: each.at(-1) }),
    perCpuSecond: 1e6 / window.cpuUs,
    ...(window.p50Us !== undefined && { p50Ms: window.p50Us / 1000, p99Ms: window.p99Us / 1000 }),
    perSecond: (window.deliveries / window.wallNs) * 1e9,
  };
}

/** The quartiles of such a value, over the windows of one contestant that nobody disturbed. */
export const seenOf = ({ windows }, name, value) => quartilesOf(windows, name, value);
