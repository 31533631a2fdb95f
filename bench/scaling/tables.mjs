// The tables of docs/scaling.md, each under the name that it has there.
import { table } from '../processes.mjs';
import {
  appendsOfOneChannel,
  connectionsOf,
  deploymentOf,
  loadOf,
  mastersOf,
  messagesOfOneChannel,
  pollingOf,
} from './model.mjs';
import { MILLION, POLLED, PRESENCE, STORMS } from './scenarios.mjs';
import { stormOf } from './storm.mjs';

/** `parts`: costs, and what of Earshot itself is simulated (backoffMs, planTurns). */
export const tablesOf = (parts) => ({
  costs: costsTable(parts.costs),
  million: millionTable(parts.costs),
  'through caches': cachesTable(parts.costs),
  'one channel': oneChannelTable(parts.costs),
  'one node': oneNodeTable(parts.costs),
  presence: presenceTable(parts.costs),
  storms: stormsTable(parts),
});

function costsTable(costs) {
  const units = { Us: 'µs', Kib: 'KiB', Mib: 'MiB', Bytes: 'bytes' };
  const unitOf = (name) => units[/(?:Us|Kib|Mib|Bytes)$/.exec(name)[0]];
  const rows = Object.entries(costs).flatMap(([where, each]) =>
    Object.entries(each).map(([name, { value, of, from }]) => [where, of, `${value} ${unitOf(name)}`, from]),
  );
  return table(['where', 'what', 'cost', 'from'], rows);
}

function millionTable(costs) {
  const columns = MILLION.map(([title, scenario]) => {
    const seen = deploymentOf(scenario, costs);
    const masters = mastersOf(seen);
    return [
      title,
      whole(seen.deliveries),
      whole(seen.appends),
      `${seen.nodes} (${seen.bound})`,
      whole(seen.sessions),
      percent(seen.nodeShare),
      size(seen.memoryMib),
      rate(seen.bitsOut),
      `${percent(seen.redisShare)}`,
      masters === undefined ? 'one channel is too much' : String(masters),
      `${figure(seen.redisBackS / (masters ?? 1))} s`,
      size(seen.redisGib * 1024),
      rate(seen.redisBitsOut),
      masters === undefined ? '–' : whole(connectionsOf(seen.nodes, masters)),
    ];
  });
  const heads = [
    '',
    'deliveries a second',
    'appends a second',
    'nodes (bound by)',
    'sessions of each',
    'CPU of each, of a core',
    'memory of each',
    'out of all nodes',
    'CPU of Redis, of a core',
    'masters',
    'when Redis was away: CPU of each master until all hear again',
    'memory of Redis',
    'out of Redis',
    'connections to Redis',
  ];
  return transposed([heads, ...columns]);
}

function cachesTable(costs) {
  const rows = POLLED.map(([title, scenario]) => {
    const { straight, cached } = pollingOf(scenario, costs);
    return [title, whole(straight.turns), straight.nodes, whole(cached.turns), cached.nodes].map(String);
  });
  return table(['', 'requests a second, straight', 'nodes', 'through caches', 'nodes'], rows);
}

function oneChannelTable(costs) {
  const rows = [1, 2, 5, 10, 20, 50, 100, 256].map((nodes) => {
    const { perSecond, bitsOut } = appendsOfOneChannel(nodes, { dataBytes: 128 }, costs);
    return [String(nodes), whole(perSecond), rate(bitsOut)];
  });
  return table(['nodes that read it', 'appends a second', 'out of Redis'], rows);
}

function oneNodeTable(costs) {
  const rows = [10, 100, 1000, 10_000, 50_000].map((readers) => {
    const { single, together, lastMs } = messagesOfOneChannel(readers, costs);
    return [whole(readers), figure(single), figure(together), `${figure(lastMs)} ms`];
  });
  const heads = [
    'readers of it on the node',
    'messages a second, each by itself',
    'the same, ten in a write',
    'until the last reader has one',
  ];
  return table(heads, rows);
}

function presenceTable(costs) {
  const rows = PRESENCE.map(([members, nodes, comings]) => {
    const scenario = { readers: members, channels: members / 50, perSecond: 0, dataBytes: 128, comings };
    const seen = loadOf(scenario, nodes, costs);
    const heldMib = (members * costs.node.memberBytes.value) / 1024 ** 2;
    return [
      whole(members),
      String(nodes),
      whole(comings),
      size(heldMib),
      percent(seen.newsShare),
      percent(seen.redisNewsShare),
      `${figure((members * costs.node.newsUs.value) / 1e6)} s`,
    ];
  });
  const heads = [
    'members',
    'nodes',
    'come or go, a second',
    'memory on each node',
    'CPU of each for it',
    'CPU of Redis',
    'until a new node has heard all',
  ];
  return table(heads, rows);
}

function stormsTable(parts) {
  const rows = STORMS.map(({ how, nodes, sessions, busy }) => {
    const seen = stormOf({ how, nodes, sessions, busy, seed: 1 }, parts);
    return [
      how,
      String(nodes),
      whole(sessions),
      ...[seen.halfMs, seen.mostMs, seen.allMs].map(seconds),
      whole(seen.inVain),
      seconds(seen.latestMs),
      whole(seen.perSecond),
    ];
  });
  const heads = [
    'the end',
    'nodes',
    'sessions of each',
    'half are back after',
    '99 %',
    'all',
    'attempts in vain',
    'the longest wait at a node',
    'come back in the best second',
  ];
  return table(heads, rows);
}

const transposed = ([heads, ...columns]) => {
  const rows = heads.map((head, at) => [head, ...columns.map((column) => column[at])]);
  return table(rows[0], rows.slice(1));
};

const whole = (value) => Math.round(value).toLocaleString('en');
const figure = (value) => (value >= 100 ? whole(value) : String(Number(value.toPrecision(2))));
const percent = (share) => `${figure(share * 100)} %`;
const seconds = (ms) => (ms === undefined ? 'not in 5 minutes' : `${(ms / 1000).toFixed(1)} s`);
const size = (mib) => (mib >= 1024 ? `${figure(mib / 1024)} GiB` : `${figure(mib)} MiB`);
const rate = (bits) => (bits >= 1e9 ? `${figure(bits / 1e9)} Gbit/s` : `${figure(bits / 1e6)} Mbit/s`);
