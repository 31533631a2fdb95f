import { short, spread } from '../../harness/report.mjs';
import { DATA } from '../../harness/sides.mjs';
import { talk as earshotTalk } from '../../peers/earshot.mjs';
import { quartiles } from '../../processes.mjs';
import { openSocket, until } from '../../sockets.mjs';
import { startContestant } from '../contestants.mjs';
import { askRedis } from '../redis.mjs';
import { commandOf, hearing, overheard, replayed } from '../replay.mjs';

export const title = 'What one Redis carries: the appends of a node, said again from the other core';

const CHANNELS = 1000;
/** Publishes that come to a node in one turn of its event loop go to Redis in one step, where they are for one channel. */
const TOGETHER = 16;
/** Its core is used up, and each turn of its event loop has much to do; or it is woken for each, as by nodes that have little to do. */
const PACES = {
  busy: { connections: 8, together: 16 },
  calm: { connections: 2, together: 1 },
};
const LISTENERS = [1, 2, 5, 10, 20, 50];

/**
 * The load is cheaper than Redis; only commands that a real node was heard to send are sent, but for the one by which it
 * glances at a channel that is quiet, for which it takes its time.
 */
export async function run(bench) {
  const side = await startContestant(bench, 'earshot/one', {
    mode: 'channels',
    modulus: CHANNELS,
    subscriptions: 0,
  });
  try {
    return await measured(bench, side);
  } finally {
    await side.stop();
  }
}

async function measured(bench, side) {
  const { redis } = side;
  const made = await makeChannels(side);
  const one = await overheard(redis.port, 'evalsha', () => publish(side, 1));
  const many = await overheard(redis.port, 'evalsha', () => publish(side, TOGETHER));
  const look = await overheard(redis.port, 'evalsha', () => subscribe(side));
  const works = one[2] === '4' ? (many.length - one.length) / 12 + 1 : 1;
  const topic = one[3 + Number(one[2]) + 1];
  const rows = [];
  const seen = { works, bytesKept: made.bytesKept };
  const row = async (text, what, words, { channels = 1, perCommand = 1 } = {}) => {
    const found = {};
    for (const [pace, how] of Object.entries(PACES))
      found[pace] = await windows(bench, redis, { ...how, perCommand, nextOf: turning(words, channels) });
    seen[what] = found;
    rows.push([text, ...cellsOf(found)]);
  };
  await row('one at a time, to 1,000 channels', 'channels', one, { channels: CHANNELS });
  await row('one at a time, to one channel', 'told to 0', one);
  await row(`${works} at a time, to one channel`, 'together', many, { perCommand: works });
  await row('none: a glance at where 1,000 quiet channels end', 'glance', ['GET', one[3]], {
    channels: CHANNELS,
  });
  await row('none: a look at the same, as after a cut', 'look', look, { channels: CHANNELS });
  for (const count of bench.quick ? [20] : LISTENERS) {
    const ears = await hearing(redis.port, topic, count);
    await row(`one at a time, told to ${count} ${count === 1 ? 'node' : 'nodes'}`, `told to ${count}`, one);
    seen.bytesTold = await bytesHeard(redis, ears, count, one);
    ears.stop();
  }
  return {
    heads: [
      'appends',
      'CPU of Redis, µs, its core used up',
      'a second',
      'of its core, %',
      'CPU, where it is woken for each',
    ],
    rows,
    seen,
    notes: [`A message of 128 bytes that is kept took ${short(made.bytesKept)} bytes of Redis' memory.`],
    checks: [],
  };
}

const cellsOf = ({ busy, calm }) => [busy.cpuUs, busy.perSecond, busy.share, calm.cpuUs].map(spread);

async function windows(bench, redis, { perCommand, ...how }) {
  const [rounds, ms] = bench.quick ? [2, 200] : [bench.turns.rounds ?? 5, 500];
  const found = [];
  for (let round = 0; round <= rounds; round++) {
    const seen = await replayed(redis, { ...how, ms });
    if (round > 0) found.push(seen);
  }
  return {
    cpuUs: quartiles(found.map(({ cpuUs }) => cpuUs / perCommand)),
    perSecond: quartiles(found.map(({ perSecond }) => perSecond * perCommand)),
    share: quartiles(found.map(({ share }) => 100 * share)),
  };
}

function turning(words, channels) {
  const commands = Array.from({ length: channels }, (_, number) => commandOf(words, number));
  let at = 0;
  return () => commands[at++ % channels];
}

/** What one announcement is for one that hears it. */
async function bytesHeard(redis, { heard }, count, words) {
  const before = heard.bytes;
  const { count: appends } = await replayed(redis, {
    connections: 1,
    together: 100,
    ms: 1,
    nextOf: turning(words, 1),
  });
  for (let last = -1; last !== heard.bytes; await new Promise((resolve) => setTimeout(resolve, 50)))
    last = heard.bytes;
  return (heard.bytes - before) / count / appends;
}

/** Each by a message; then what some more take. */
async function makeChannels(side) {
  const { load, talk, ports, redis } = side;
  await load.open('p', { kind: 'w', count: 1, port: ports[0], steps: talk.publisher });
  const usedBytes = async () =>
    Number(/used_memory:(\d+)/.exec(await askRedis(redis.port, 'INFO', 'memory'))[1]);
  const fill = async (times) => {
    for (let at = 0; at < times * CHANNELS; at += 100) await publish(side, 100, at);
  };
  await fill(20);
  const before = await usedBytes();
  await fill(20);
  return { bytesKept: ((await usedBytes()) - before) / (20 * CHANNELS) };
}

/** So many at once, to the first channel, or each to the next from there on; resolves when all are answered. */
async function publish({ talk, ports }, count, from) {
  const socket = await begun(ports[0], talk.publisher);
  const answered = until(socket, (text) => text.split('"published"').length > count);
  const messages = Array.from({ length: count }, (_, at) => {
    const number = from === undefined ? 0 : (from + at) % CHANNELS;
    const text = talk.publish(DATA).toString('latin1').replace('#####', String(number).padStart(5, '0'));
    return Buffer.from(text, 'latin1');
  });
  socket.write(Buffer.concat(messages));
  await answered;
  socket.destroy();
}

/** To the first channel. */
async function subscribe({ ports }) {
  const { reader } = earshotTalk({ mode: 'fan' });
  (await begun(ports[0], reader)).destroy();
}

async function begun(port, steps) {
  const socket = await openSocket(port);
  for (const [said, end] of steps) {
    const came = until(socket, (text) => text.includes(String(end)));
    socket.write(said);
    await came;
  }
  return socket;
}
