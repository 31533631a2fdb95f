// The sides of a work: a server and its load each, all alive at once, of which one works at a time.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { talk as earshotTalk } from '../peers/earshot.mjs';
import * as floor from '../peers/floor.mjs';
import { stop } from '../processes.mjs';
import { openSocket, until } from '../sockets.mjs';
import { Load, pin } from './native.mjs';
import { ratio, summary, takeTurns } from './windows.mjs';

/** In a short look. */
const LEFT_OUT = ['fastify-websocket', 'sockjs', 'ws-bytes'];

/** The side with the native add-on, where that was built. */
export const ACCELERATED = 'earshot-accelerated';

/** A message of 128 bytes. */
export const DATA = dataOf(128);

export function dataOf(bytes) {
  const empty = JSON.stringify({ user: 'ann', text: '' });
  return JSON.stringify({ user: 'ann', text: 'x'.repeat(Math.max(0, bytes - empty.length)) });
}

/** Starts a peer, with a load beside it. */
export async function startSide(bench, name, options) {
  const peer = name === 'floor' ? floor : await import(`../peers/${name.split('/')[0]}.mjs`);
  const { programs, profiles } = bench;
  const execArgv = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles];
  const { server, port } = await peer.start({ programs, execArgv, ...options });
  pin(server.pid, options.cores ?? 0);
  const load = new Load(bench.programs.load, server);
  const talk = peer.talk?.(options);
  if (options.modulus !== undefined) await load.tell('modulus', options.modulus);
  return {
    name,
    title: options.title ?? peer.title,
    server,
    port,
    load,
    talk,
    stop: () => stopSide({ server, load }),
  };
}

async function stopSide({ server, load }) {
  load.stop();
  if (server.channel) return stop(server);
  const exited = once(server, 'exit');
  server.stdin.end();
  await exited;
}

/** Opens the readers and the publishers of a side. */
export async function connectSide(side, { readers, publishers }) {
  const { load, port, talk } = side;
  if (publishers > 0)
    await load.open('p', {
      kind: talk.publisherKind ?? talk.kind,
      count: publishers,
      port,
      steps: talk.publisher,
    });
  if (readers === 0) return undefined;
  return load.open('r', { kind: talk.kind, count: readers, port, steps: talk.reader });
}

/** What a reader of Earshot is sent for one message of this data: the floor sends the same. */
export async function bytesOnWire({ name, port, talk }, data) {
  const reads = name.startsWith('earshot') ? earshotTalk({ mode: 'fan' }).reader : talk.reader;
  const [reader, publisher] = await Promise.all([openSocket(port), openSocket(port)]);
  const numbered = (bytes) =>
    Buffer.from(Buffer.from(bytes).toString('latin1').replace('#####', '00000'), 'latin1');
  const follow = async (socket, steps) => {
    for (const [said, end] of steps) {
      const came = until(socket, (text) => text.includes(String(end)));
      socket.write(numbered(said));
      await came;
    }
  };
  publisher.resume();
  await Promise.all([follow(reader, reads), follow(publisher, talk.publisher)]);
  const chunks = [];
  reader.on('data', (chunk) => chunks.push(chunk));
  const came = until(reader, (text) => text.includes(data));
  publisher.write(numbered(talk.publish(data)));
  await came;
  await wait(100); // what comes after it, to the same reader
  for (const socket of [reader, publisher]) socket.destroy();
  return Buffer.concat(chunks);
}

/**
 * A work whose sides take turns. `open` says how many connect, `window(side, ms)` measures one window; `warm(side, ms)` is
 * what comes before, where that brings too few messages for the code of a publish to be compiled;
 * `targets` are what Earshot has to reach: { than, most } as a ratio of CPU, or of another value; `optionsOf(name)` are
 * those of one peer.
 */
export async function sideBySide(bench, work) {
  const { mode, subscriptions, modulus, data = DATA, open, targets } = work;
  const peers = work.peers.filter((name) => isThere(bench, name));
  const options = { mode, subscriptions, modulus, ...work.options };
  const earshot = await startSide(bench, work.subject ?? 'earshot', options);
  const sides = [earshot];
  for (const name of peers)
    sides.push(await startSide(bench, name, { ...options, ...work.optionsOf?.(name) }));
  const withFloor =
    work.floor === false || bench.programs.floor === undefined
      ? undefined
      : await floorOf(bench, earshot, options, data);
  const all = withFloor === undefined ? sides : [withFloor, ...sides];
  try {
    for (const side of all) {
      await connectSide(side, open);
      await work.prepare?.(side);
    }
    const turns = await takeTurns({
      sides: sides.map((side) => windowsOf(work, side)),
      floor: withFloor && windowsOf(work, withFloor),
      ...turnsOf(bench),
      ...work.turns,
      ...bench.turns,
    });
    const titles = new Map(all.map(({ name, title }) => [name, title]));
    const rows = summary(turns, titles);
    const isMeasured = ({ of }) => of === undefined || titles.has(of);
    const seenOf = (than, value, of = earshot.name) => ratio(turns, of, than, value);
    return { rows, checks: checksOf(targets.filter(isMeasured), seenOf) };
  } finally {
    await Promise.all(all.map((side) => side.stop()));
  }
}

function isThere({ quick }, name) {
  if (quick && LEFT_OUT.includes(name)) return false;
  return name !== ACCELERATED || existsSync(new URL('../../accelerator/accelerator.node', import.meta.url));
}

/** Many messages in little time, to so many readers: a second of single ones is two hundred. */
export const inBursts =
  (readers) =>
  ({ load, talk }, ms) =>
    load.tell('fan', ms, 20, readers, talk.publish(DATA));

function windowsOf(work, side) {
  const { window, warm = window } = work;
  return { name: side.name, window: (ms) => window(side, ms), warm: (ms) => warm(side, ms) };
}

/** How often, and how long: what a work says itself goes over it. */
export function turnsOf({ quick }) {
  if (quick) return { rounds: 3, windowMs: 120, tries: 1, warmCpuMs: 300 };
  return { rounds: 6, windowMs: 400, tries: 2, warmCpuMs: 1000 };
}

async function floorOf(bench, earshot, options, data) {
  return startSide(bench, 'floor', { ...options, bytes: await bytesOnWire(earshot, data) });
}

/** Each target with what was seen of it. `of`: the side that is to reach it, where that is another. */
export function checksOf(targets, seenOf) {
  return targets.map(({ than, most, value, text, of }) => ({
    text: text ?? `${of === ACCELERATED ? 'accelerated: ' : ''}${value ?? 'CPU'}, times ${than}`,
    most,
    seen: seenOf(than, value, of),
  }));
}
