import fc from 'fast-check';
import t from 'tap';
import { WebSocket } from 'ws';
import type { Client, SocketConstructor } from '../../src/client/node.js';
import { connect } from '../../src/client/node.js';
import type { DrainPlan, Turn } from '../../src/server/drain.js';
import { planTurns } from '../../src/server/drain.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { appOn } from '../support/app.js';
import { peer } from '../support/peer.js';

const PLAN: DrainPlan = { timeoutMs: 30_000, backWithinMs: 30_000, reconnectsPerSecond: 200 };

/** When each comes back that picks its moment at random within its window. */
function comeBack(turns: readonly Turn[], random: () => number): number[] {
  return turns.map(({ atMs, afterMs: [from, to] }) => atMs + from + random() * (to - from));
}

/** How many fall into the fullest second. */
function peakPerSecond(timesMs: readonly number[]): number {
  const sorted = [...timesMs].sort((a, b) => a - b);
  let [peak, from] = [0, 0];
  for (const [at, time] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= time - 1000) from++;
    peak = Math.max(peak, at - from + 1);
  }
  return peak;
}

t.test('plan / 2,000 sessions at 200 per second → told over ten seconds, back at that rate', async (t) => {
  const turns = planTurns(2000, PLAN);
  t.equal(turns.length, 2000);
  t.same(turns[0], { atMs: 0, afterMs: [0, 1000] });
  t.ok((turns.at(-1)?.atMs ?? 0) >= 9_900 && (turns.at(-1)?.atMs ?? 0) <= 10_000);
  const early = turns.filter(({ atMs }) => atMs === 0).length;
  t.ok(early <= 21, `${early} at once`);
});

t.test(
  'plan / more sessions than the time has room for → told within it, to come back over all of it',
  async (t) => {
    const turns = planTurns(50_000, PLAN);
    t.ok(turns.every(({ atMs }) => atMs <= 18_000));
    const last = turns.at(-1);
    t.ok((last?.atMs ?? 0) + (last?.afterMs[0] ?? 0) > 29_000, 'the last comes when the time is up');
  },
);

t.test('plan / none, one, and a fraction per second → no session is forgotten', async (t) => {
  t.same(planTurns(0, PLAN), []);
  t.same(planTurns(1, PLAN), [{ atMs: 0, afterMs: [0, 1000] }]);
  t.equal(planTurns(3, { ...PLAN, reconnectsPerSecond: 0.01 }).length, 3);
});

t.test(
  'plan / any number at any rate, whatever moments they pick → the peak stays under twice the plan',
  async () => {
    const property = fc.property(
      fc.integer({ min: 200, max: 20_000 }),
      fc.integer({ min: 100, max: 2000 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      (count, reconnectsPerSecond, moments) => {
        const plan = { ...PLAN, reconnectsPerSecond };
        const planned = Math.max(reconnectsPerSecond, (count / plan.backWithinMs) * 1000);
        const times = comeBack(planTurns(count, plan), () => moments.next().value ?? 0);
        const peak = peakPerSecond(times);
        if (peak >= 2 * planned) throw new Error(`${peak} in one second, ${planned} were planned`);
      },
    );
    fc.assert(property, { numRuns: 60 });
  },
);

const SESSIONS = 2000;
const PER_SECOND = 500;

t.test(
  'drain / 2,000 sessions, twice in a row → all come back, none misses a message, at the planned rate',
  async (t) => {
    const store = new MemoryStore();
    const start = () =>
      appOn(t, { store, pages: false, reconnectsPerSecond: PER_SECOND, limits: { maxSessions: 10_000 } });
    const servers = [await start(), await start(), await start()];
    let at = 0;
    /** What a load balancer does: who comes is sent to the server that is ready. */
    class ToTheOneThatIsReady extends WebSocket {
      constructor(_url: string, protocols: string[]) {
        super(servers[at]?.wsUrl ?? '', protocols);
      }
    }
    const clients = Array.from({ length: SESSIONS }, () => follow(ToTheOneThatIsReady));
    t.teardown(() => {
      for (const { client } of clients) client.close();
    });
    await Promise.all(clients.map(({ subscribed }) => subscribed));
    let published = 0;
    const publish = () => servers[at]?.app.earshot.publish('news', ++published);
    for (const next of [1, 2]) {
      const leaving = servers[at];
      const cameBack: number[] = [];
      for (const each of clients) each.cameBack = cameBack;
      at = next;
      const drained = leaving?.app.earshot.drain();
      for (let each = 0; each < 10; each++) await publish();
      await drained;
      t.equal(leaving?.app.earshot.sessions.count, 0);
      for (let each = 0; each < 10; each++) await publish();
      await Promise.all(clients.map(({ backOn }) => backOn(next)));
      t.equal(servers[at]?.app.earshot.sessions.count, SESSIONS);
      t.equal(cameBack.length, SESSIONS, 'each was told once');
      const peak = peakPerSecond(cameBack);
      t.ok(peak < 2 * PER_SECOND, `the peak was ${peak} in one second, ${PER_SECOND} were planned`);
    }
    await publish();
    const all = Array.from({ length: published }, (_, index) => index + 1);
    await Promise.all(clients.map(({ hears }) => hears(published)));
    const complete = clients.filter(({ heard }) => JSON.stringify(heard) === JSON.stringify(all));
    t.equal(complete.length, SESSIONS, 'each has heard everything once, in order');
    t.same(
      clients.flatMap(({ gaps }) => gaps),
      [],
    );
  },
);

interface Follower {
  readonly client: Client;
  readonly subscribed: Promise<void>;
  readonly heard: unknown[];
  readonly gaps: string[];
  /** When those that follow decided to come back. */
  cameBack: number[];
  /** Resolves when it has been welcomed so many times again. */
  backOn(times: number): Promise<void>;
  /** Resolves when it has heard this. */
  hears(data: unknown): Promise<void>;
}

function follow(Socket: SocketConstructor): Follower {
  const client = connect('ws://127.0.0.1:1/ws', { WebSocket: Socket, connectTimeoutMs: 100_000 });
  const news = client.subscribe('news');
  let welcomes = 0;
  const follower: Follower = {
    client,
    subscribed: new Promise((resolve) => news.on('resumed', () => resolve())),
    heard: [],
    gaps: [],
    cameBack: [],
    backOn: (times) =>
      until(
        () => welcomes > times,
        (look) => client.on('welcome', look),
      ),
    hears: (data) =>
      until(
        () => follower.heard.at(-1) === data,
        (look) => news.on('message', look),
      ),
  };
  client.on('welcome', () => welcomes++);
  client.on('state', (_state, { code, retryInMs }) => {
    if (code === 'draining' && retryInMs !== undefined) follower.cameBack.push(performance.now() + retryInMs);
  });
  news.on('message', ({ data }) => follower.heard.push(data));
  news.on('gap', ({ reason }) => follower.gaps.push(reason));
  return follower;
}

/** Looks now, and whenever it is told to. */
function until(isSo: () => boolean, listen: (look: () => void) => unknown): Promise<void> {
  return new Promise((resolve) => {
    const look = () => isSo() && resolve();
    look();
    listen(look);
  });
}

t.test('drain / with a delay → not ready at once, and serving until it is over', async (t) => {
  const on = await appOn(t, { drainDelayMs: 100_000, drainTimeoutMs: 110_000 });
  const client = await peer(t, on.wsUrl);
  await client.next('welcome');
  const drained = on.app.earshot.drain();
  t.equal((await fetch(`${on.url}/readyz`)).status, 503);
  t.equal(await on.metric('earshot_draining'), 1);
  const late = await peer(t, on.wsUrl);
  await late.next('welcome');
  t.match(await late.call({ type: 'publish', channel: 'a', data: 1 }), { type: 'published' });
  t.same(await client.fence(), [], 'nobody was told anything');
  void on.app.earshot.drain({ delayMs: 0 });
  t.match(await client.next('bye'), { code: 'draining' });
  t.match(await late.next('bye'), { code: 'draining' });
  await drained;
});

t.test('drain / its delay is over by itself → everybody is told', async (t) => {
  const on = await appOn(t, { drainDelayMs: 50 });
  const client = await peer(t, on.wsUrl);
  await client.next('welcome');
  const drained = on.app.earshot.drain();
  t.match(await client.next('bye'), { code: 'draining' });
  await drained;
});

t.test('drain / asked for with less time than the options say → within that', async (t) => {
  const on = await appOn(t, { drainDelayMs: 20_000, closeTimeoutMs: 25_000 });
  const client = await peer(t, on.wsUrl);
  await client.next('welcome');
  client.socket.pause(); // it will not answer the close
  const since = performance.now();
  await on.app.earshot.drain({ delayMs: 0, timeoutMs: 200 });
  t.ok(performance.now() - since < 10_000, 'what does not answer is cut');
  client.socket.resume();
});
