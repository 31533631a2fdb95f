import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import { ACTIONS } from '../../src/core/policy/action.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { appOn, eventually } from '../support/app.js';
import { redisServer } from '../support/redis.js';
import { dataFolder } from '../support/spawn.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import type { Burst, Publish, Step, Technique } from '../support/walk.js';
import { Walk } from '../support/walk.js';

/** A run of its own: `EARSHOT_WALKS_SEED=… npx tap run test/journeys/walks.test.ts`. */
const SEED = process.env['EARSHOT_WALKS_SEED'];
const WALKS = Number(process.env['EARSHOT_WALKS'] ?? 200);

const KEPT = { messages: 100_000, bytes: 1024 * 1024 * 1024 };
const WHOLE: EarshotOptions = { retention: KEPT, limits: { maxStoreBytes: 1024 * 1024 * 1024 } };

/** Where a reader walks. */
const SERVERS = {
  patient: { options: WHOLE, whole: true },
  /** What waits is over soon, and little finds room. */
  hasty: {
    options: {
      ...WHOLE,
      longPollTimeoutMs: 2,
      eventStreamMaxMs: 20,
      limits: { ...WHOLE.limits, maxQueuedBytes: 65_536 },
    },
    whole: true,
  },
  durable: { options: { ...WHOLE, store: 'lmdb' }, whole: true },
  /** Two, over one Redis: a connection comes to the one, the next one to the other. */
  shared: { options: { retention: KEPT }, whole: true, nodes: 2 },
  forgetful: {
    options: { channels: { '**': { anonymous: [...ACTIONS], retention: { messages: 5 } } } },
    whole: false,
  },
} satisfies Record<string, Server>;
type ServerName = keyof typeof SERVERS;

interface Server {
  readonly options: EarshotOptions;
  readonly whole: boolean;
  /** Over one Redis; undefined: one, with a store of its own. */
  readonly nodes?: number;
}
/** The publisher is one address, and faster than a session may be: what it was refused would look like lost. */
const AS_FAST_AS_IT_GOES = { commandsPerSecond: 1e6, commandBurst: 1e6 };

const STREAM: readonly Technique[] = ['webSocket', 'events', 'longPoll', 'poll'];
const CURSOR: readonly Technique[] = ['readEvents', 'readLongPoll', 'readPoll'];
/** What a reader walks through: one kind of position, the other, or both. */
const KINDS = { offset: STREAM, cursor: CURSOR, both: [...STREAM, ...CURSOR] } as const;

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 3, arbitrary: fc.integer({ min: 200, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 5000, max: 40_000 }) },
);
const burst: fc.Arbitrary<Burst> = fc.record({
  channel: fc.nat(2),
  sizes: fc.array(size, { minLength: 1, maxLength: 8 }),
  by: fc.nat(9),
  pause: fc.oneof(fc.constant(0), fc.nat(20)),
});
const cutAfterBytes = fc.oneof(
  fc.constant(undefined),
  fc.nat(900),
  fc.integer({ min: 300, max: 6000 }),
  fc.integer({ min: 1000, max: 120_000 }),
);
const walk = fc
  .record({
    server: fc.constantFrom<ServerName>('patient', 'hasty', 'durable', 'shared', 'forgetful'),
    kind: fc.constantFrom<keyof typeof KINDS>('offset', 'cursor', 'both'),
    channels: fc.integer({ min: 1, max: 3 }),
  })
  .chain((about) => fc.record({ about: fc.constant(about), steps: stepsOf(KINDS[about.kind]) }));

function stepsOf(techniques: readonly Technique[]): fc.Arbitrary<Step[]> {
  const step = fc.record({
    technique: fc.constantFrom(...techniques),
    away: fc.array(burst, { maxLength: 2 }),
    during: fc.array(burst, { maxLength: 3 }),
    cutAfterBytes,
    waitMs: fc.constantFrom(1, 3, 25_000),
    byLastEventId: fc.boolean(),
  });
  return fc.array(step, { minLength: 2, maxLength: 7 });
}

interface Place {
  readonly hop: TcpProxy;
  readonly publish: readonly Publish[];
  readonly whole: boolean;
  call(method: string, channel: string): Promise<void>;
}

/** A server, with a hop before it for those who read; those who publish, and are to know that they have, come by themselves. */
async function placeOn(t: Test, name: ServerName): Promise<Place> {
  const { options, whole, nodes = 1 }: Server = SERVERS[name];
  const store = nodes > 1 ? { store: (await redisServer(t)).url } : {};
  const all: EarshotOptions = {
    ...options,
    ...store,
    limits: { ...options.limits, ...AS_FAST_AS_IT_GOES },
    ...(options.store === 'lmdb' && { data: dataFolder(t) }),
  };
  const { app, url, port } = await appOn(t, all);
  const hop = await tcpProxy(t, port);
  const others = await Promise.all(Array.from({ length: nodes - 1 }, () => appOn(t, all)));
  hop.leadTo(port, ...others.map((other) => other.port));
  const send = async (path: string, method: string, body: unknown = undefined) => {
    const headers = { 'content-type': 'application/json' };
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${url}${path}`, { method, headers, ...init });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.text();
  };
  return {
    whole,
    hop,
    publish: [
      (channel, all) => Promise.all(all.map((data) => app.earshot.publish(channel, data))),
      (channel, all) => send(`/v1/stream/${channel}`, 'POST', all),
      async (channel, all) => {
        const commands = all.map((data, at) => ({ type: 'publish', id: at + 1, channel, data }));
        const answers = await send('/v1/commands', 'POST', commands);
        if (answers.includes('"type":"error"')) throw new Error(answers); // each fares by itself
      },
    ],
    async call(method, channel) {
      await send(`/v1/stream/${channel}`, method);
    },
  };
}

/** What the walks came across. */
class Tally {
  readonly counts = new Map<string, number>();

  add(what: string, count = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + count);
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }
}

t.test(
  'a reader / that changes technique and is cut anywhere → hears everything once, in order',
  async (t) => {
    const places = {
      patient: await placeOn(t, 'patient'),
      hasty: await placeOn(t, 'hasty'),
      durable: await placeOn(t, 'durable'),
      shared: await placeOn(t, 'shared'),
      forgetful: await placeOn(t, 'forgetful'),
    };
    const tally = new Tally();
    let walks = 0;
    const property = fc.asyncProperty(walk, async ({ about, steps }) => {
      const { hop, publish, whole, call } = places[about.server];
      const channels = Array.from({ length: about.channels }, (_, at) => `walk/${walks}/${at}`);
      walks++;
      for (const channel of channels) await call('PUT', channel);
      const walked = new Walk({ hop, channels, publish, whole, fromStart: about.kind !== 'cursor' });
      for (const [at, step] of steps.entries()) {
        if (await walked.take(step, at)) tally.add(`${step.technique} cut`);
        tally.add(step.technique);
      }
      await walked.finish([about.kind === 'cursor' ? 'readPoll' : 'poll']);
      for (const channel of channels) await call('DELETE', channel);
      tally.add('messages', walked.positions.messages);
      tally.add('gaps', walked.positions.gaps);
    });
    const seed = SEED === undefined ? {} : { seed: Number(SEED) };
    await fc.assert(property, { numRuns: WALKS, endOnFailure: true, ...seed });
    t.comment(JSON.stringify(Object.fromEntries([...tally.counts].sort())));
    t.equal(walks, WALKS);
    for (const technique of KINDS.both) t.ok(tally.of(`${technique} cut`) > 0, `${technique} was cut, too`);
    t.ok(tally.of('gaps') > 0, 'some have missed something, and were told');
  },
);

t.test(
  'a reader / that comes back for what is no longer kept → is told, whatever the technique',
  async (t) => {
    const { app, url } = await appOn(t, { retention: { messages: 2 } });
    const { offset: first } = await app.earshot.publish('briefly', 0);
    for (const n of [1, 2, 3]) await app.earshot.publish('briefly', n);
    for (const mode of ['', '&live=long-poll', '&live=sse']) {
      const { status } = await fetch(`${url}/v1/stream/briefly?offset=${first}${mode}`);
      t.equal(status, 410, mode);
    }
    const read = await fetch(`${url}/v1/read?channel=briefly&offset=${first}`);
    t.match(await read.json(), {
      envelopes: [
        { type: 'gap', channel: 'briefly', reason: 'retention' },
        { type: 'message', data: 2 },
        { type: 'message', data: 3 },
      ],
    });
  },
);

t.test(
  'a long-poll / whose time is up in the turn that brings a message → is answered with it',
  async (t) => {
    const { app, url } = await appOn(t);
    const { offset: first } = await app.earshot.publish('late', 0);
    const polls = [
      fetch(`${url}/v1/stream/late?live=long-poll&offset=${first}`),
      fetch(`${url}/v1/read?channel=late&offset=${first}&waitMs=25000`),
    ] as const;
    await eventually('both', () => app.earshot.stats().subscriptions === 2);
    const { offset } = await app.earshot.publish('late', 1); // what leaves at the end of this turn
    setImmediate(() => {
      for (const session of app.earshot.node.sessions) session.timeUp();
    });
    const [stream, read] = await Promise.all(polls);
    t.equal(stream.headers.get('stream-next-offset'), offset);
    t.strictSame(await stream.json(), [1]);
    t.match(await read.json(), { envelopes: [{ type: 'message', data: 1, offset }] });
  },
);
