import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setInterval as every } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { connect } from '../../src/client/node.js';
import type { Balancer, Door } from '../support/balancer.js';
import { balancer } from '../support/balancer.js';
import type { Child } from '../support/child.js';
import { startEarshot } from '../support/command.js';
import type { Crowd, Return } from '../support/crowd.js';
import { crowd } from '../support/crowd.js';
import { redisServer } from '../support/redis.js';
import type { RunningServer } from '../support/spawn.js';
import { startServer } from '../support/spawn.js';

t.setTimeout(240_000); // it is over after about 60 s where nothing else runs

const CLIENTS = 2000;
const CHANNELS = Array.from({ length: 40 }, (_, at) => `room/${at}`);
const CHANNELS_EACH = 2;
const PUBLISH_EVERY_MS = 50;
const RESTARTS = 5;
const RECONNECTS_PER_SECOND = 400;
const JOIN_EVERY_MS = 100;
const SETTINGS = {
  'reconnects-per-second': RECONNECTS_PER_SECOND,
  'drain-timeout-ms': 12_000,
  'drain-delay-ms': 1500, // until the balancer has noticed
  'max-event-loop-delay-ms': 60_000, // the machine of a test may be busy
};
const NEWCOMER_EVERY_MS = 100;
/** The longest of 2,000 connections is longer than that of some newcomers: by so much at the most. */
const LONGER = 3;

interface Service {
  readonly store: string;
  readonly front: Balancer;
  /** By turns: the one that runs in the place of each. */
  readonly nodes: RunningServer[];
  /** That of the crowd; whoever else comes has one of their own. */
  readonly door: Door;
  readonly others: Door;
}

/** What one restart was for those that it moved. */
interface Restart {
  readonly code: number | null;
  readonly returns: readonly Return[];
  /** When they came, at the balancer. */
  readonly arrivalsMs: readonly number[];
  /** For how long this process was busy with something else, at the most. */
  readonly busyMs: number;
  /** How long it took to connect and to subscribe, meanwhile, for those whom nobody had told to come back. */
  readonly newcomersMs: readonly number[];
}

/** Two nodes with one Redis, behind one balancer. */
async function service(t: Test): Promise<Service> {
  const { url: store } = await redisServer(t, { config: ['appendonly yes'] });
  const front = balancer(t);
  const nodes = await Promise.all([startNode(t, store), startNode(t, store)]);
  await Promise.all(nodes.map(({ port }) => front.add(port)));
  return { store, front, nodes, door: await front.door(), others: await front.door() };
}

function startNode(t: Test, store: string): Promise<RunningServer> {
  const flags = Object.entries(SETTINGS).map(([name, value]) => `--${name}=${value}`);
  const env = { LOG_LEVEL: 'info', EARSHOT_DATA: undefined };
  return startServer(t, { args: ['--store', store, ...flags], env });
}

/** At the pace at which they are to come back. */
async function fill(all: Crowd, { port }: Door): Promise<void> {
  const joining: Promise<void>[] = [];
  for await (const _ of every(JOIN_EVERY_MS)) {
    for (let more = (RECONNECTS_PER_SECOND * JOIN_EVERY_MS) / 1000; more > 0; more--)
      joining.push(all.join(`ws://127.0.0.1:${port}/ws`, channelsOf(joining.length)));
    if (joining.length >= CLIENTS) break;
  }
  await Promise.all(joining);
}

function channelsOf(client: number): string[] {
  return Array.from(
    { length: CHANNELS_EACH },
    (_, next) => CHANNELS[(client + next) % CHANNELS.length] ?? '',
  );
}

/** Numbers the messages of each channel, until it is told to end. It then tells how many there are of each, all stored. */
function publish(t: Test, { port }: Door): () => Promise<ReadonlyMap<string, number>> {
  const client = connect(`ws://127.0.0.1:${port}/ws`, { commandTimeoutMs: Number.POSITIVE_INFINITY });
  t.teardown(() => client.close());
  const published = new Map<string, number>();
  const stored: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const channel = CHANNELS[stored.length % CHANNELS.length] ?? '';
    const number = (published.get(channel) ?? 0) + 1;
    published.set(channel, number);
    stored.push(client.publish(channel, number));
  }, PUBLISH_EVERY_MS);
  t.teardown(() => clearInterval(timer));
  return async () => {
    clearInterval(timer);
    await Promise.all(stored);
    return published;
  };
}

/** `earshot check`, until it is told to end: it publishes and reads in every way, and judges what came of it. */
async function check(t: Test, { port }: Door): Promise<Child> {
  const load = ['--seconds', '600', '--readers', '4', '--publishers', '2', '--channels', '2'];
  const child = await startEarshot(t, 'check', '--url', `http://127.0.0.1:${port}`, ...load);
  await child.says(/messages accepted/);
  return child;
}

/** One after the other comes, has its subscriptions, and goes, until the end is told: how long each took. */
function newcomers(t: Test, { port }: Door): () => Promise<readonly number[]> {
  const coming: Promise<number>[] = [];
  const come = async () => {
    const sinceMs = performance.now();
    using client = connect(`ws://127.0.0.1:${port}/ws`);
    const channels = channelsOf(coming.length);
    await Promise.all(channels.map((channel) => client.subscribe(channel, { offset: '-1' }).ready()));
    return performance.now() - sinceMs;
  };
  const timer = setInterval(() => coming.push(come()), NEWCOMER_EVERY_MS);
  t.teardown(() => clearInterval(timer));
  return () => {
    clearInterval(timer);
    return Promise.all(coming);
  };
}

/** SIGTERM, and another one in its place; over when all that it had are back somewhere. */
async function restart(t: Test, on: Service, all: Crowd, turn: number): Promise<Restart> {
  const { store, front, nodes, door } = on;
  const [place, told, { length: came }] = [turn % nodes.length, all.returns.length, await door.arrivalsMs()];
  const leaving = nodes[place];
  if (leaving === undefined) throw new Error('there is no such node');
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  const stopNewcomers = newcomers(t, door);
  const { code } = await leaving.stop();
  await front.remove(leaving.port);
  const next = startNode(t, store);
  await all.made(all.returns.length);
  loop.disable();
  const newcomersMs = await stopNewcomers();
  nodes[place] = await next;
  await front.add(nodes[place].port);
  const [returns, arrivalsMs] = [all.returns.slice(told), (await door.arrivalsMs()).slice(came)];
  return { code, returns, arrivalsMs, newcomersMs, busyMs: Math.ceil(loop.max / 1e6) };
}

/** Each comes back when it was advised to, in one go, and all of them at the rate of the plan. */
function isAsPlanned(t: Test, { code, returns, arrivalsMs, busyMs, newcomersMs }: Restart): void {
  t.equal(code, 0, 'it ends in order');
  t.equal(arrivalsMs.length, returns.length + newcomersMs.length, 'each comes once');
  const newcomerMs = longest(newcomersMs);
  t.ok(
    returns.every(({ attempts }) => attempts === 1),
    'nobody is refused',
  );
  const latest = (of: (one: Return) => number) => longest(returns.map(of));
  // a timer may be due just after the loop has looked, and waits then through two of its turns
  const lateMs = latest(({ triedAtMs, latestMs }) => triedAtMs - latestMs);
  t.ok(lateMs <= 2 * busyMs, `tried ${lateMs} ms after the window at the latest; busy for ${busyMs}`);
  const overMs = latest(({ backAtMs, latestMs }) => backAtMs - latestMs);
  const connecting = `connecting took ${latest((one) => one.backAtMs - one.triedAtMs)}, newcomers ${newcomerMs}`;
  t.ok(overMs <= LONGER * newcomerMs + 2 * busyMs, `back ${overMs} ms after it at the latest; ${connecting}`);
  const setOut = peakPerSecond(returns.map(({ triedAtMs }) => triedAtMs).sort((a, b) => a - b));
  const peak = peakPerSecond(arrivalsMs);
  const whole = `of ${arrivalsMs.length} with newcomers; ${setOut} of those who return set out in one`;
  t.ok(peak < 2 * RECONNECTS_PER_SECOND, `${peak} came in the fullest second, ${whole}`);
}

/** How many came within the fullest second. */
function peakPerSecond(timesMs: readonly number[]): number {
  let [peak, from] = [0, 0];
  for (const [at, time] of timesMs.entries()) {
    while ((timesMs[from] ?? 0) <= time - 1000) from++;
    peak = Math.max(peak, at - from + 1);
  }
  return peak;
}

function longest(timesMs: readonly number[]): number {
  return Math.round(timesMs.reduce((most, time) => Math.max(most, time), Number.NEGATIVE_INFINITY));
}

t.test(
  'rolling restarts / five in turn under 2,000 clients → each hears everything once, and is back when it was advised to be',
  async (t) => {
    const on = await service(t);
    const all = crowd(t);
    const stopPublishing = publish(t, on.others);
    const [checker] = await Promise.all([check(t, on.others), fill(all, on.door)]);
    for (let turn = 0; turn < RESTARTS; turn++) {
      const done = await restart(t, on, all, turn);
      // at first each node has about one half, and then one of them all
      t.ok(done.returns.length >= (turn === 0 ? CLIENTS / 4 : CLIENTS), 'all that the node had');
      isAsPlanned(t, done);
    }
    await all.heard(await stopPublishing());
    t.strictSame(all.faults.slice(0, 10), [], 'each client has heard everything once, in order');
    process.kill(checker.pid, 'SIGINT');
    const { code } = await checker.ended;
    t.equal(code, 0, 'the checker finds nothing');
    t.match(checker.said(), /^kept +gap/m);
  },
);
