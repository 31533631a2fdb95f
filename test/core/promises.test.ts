import fc from 'fast-check';
import t from 'tap';
import { memoryStore, NOTHING_HELD, type Peer, Rig } from '../support/core.js';
import type { Fate } from '../support/fake-stores.js';
import { AstrayStore } from '../support/fake-stores.js';

const CHANNELS = ['a', 'b'] as const;
const READERS = 3;

/** Something that happens, and how far what it sets off gets before the next thing does. */
interface Event {
  readonly what:
    | 'publish'
    | 'subscribe'
    | 'unsubscribe'
    | 'cut'
    | 'stall'
    | 'drain'
    | 'late'
    | 'delete'
    | 'wait';
  readonly reader: number;
  readonly channel: (typeof CHANNELS)[number];
  readonly count: number;
  readonly fate: Fate;
  readonly until: number | 'turn' | 'rest';
}

const event: fc.Arbitrary<Event> = fc.record({
  what: fc.oneof(
    { weight: 8, arbitrary: fc.constant('publish' as const) },
    { weight: 4, arbitrary: fc.constant('subscribe' as const) },
    { weight: 2, arbitrary: fc.constantFrom('stall' as const, 'cut' as const, 'late' as const) },
    { weight: 3, arbitrary: fc.constant('drain' as const) },
    { weight: 1, arbitrary: fc.constantFrom('unsubscribe' as const, 'delete' as const, 'wait' as const) },
  ),
  reader: fc.nat(READERS - 1),
  channel: fc.constantFrom(...CHANNELS),
  count: fc.integer({ min: 1, max: 6 }),
  fate: fc.constantFrom('prompt', 'prompt', 'lost', 'late', 'twice'),
  until: fc.oneof(fc.nat(12), fc.constantFrom('turn' as const, 'rest' as const)),
});

interface Setting {
  /** Messages that are kept of each channel. */
  readonly messages: number;
  readonly maxQueuedBytes: number;
  /** How long answers of the store are under way, in turn. */
  readonly hops: readonly number[];
}

const setting: fc.Arbitrary<Setting> = fc.record({
  messages: fc.constantFrom(0, 2, 5, 1e9),
  maxQueuedBytes: fc.constantFrom(1, 400, 2000),
  hops: fc.array(fc.nat(9), { minLength: 1, maxLength: 5 }),
});

/** A client that remembers its position in each channel, over all its connections. */
class Reader {
  readonly positions = new Map<string, string>();
  readonly subscribed = new Set<string>();
  peer: Peer;
  #asked = new Map<number, string | undefined>();
  #judged = 0;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  subscribe(channel: string): void {
    const offset = this.positions.get(channel);
    const id = this.peer.send({ type: 'subscribe', channel, ...(offset !== undefined && { offset }) });
    this.#asked.set(id, offset);
  }

  /** Another connection; what had not reached the old one is lost with it. */
  comeBack(peer: Peer): void {
    this.peer = peer;
    this.#asked = new Map();
    this.#judged = 0;
    const before = [...this.subscribed];
    this.subscribed.clear();
    for (const channel of before) this.subscribe(channel);
  }

  /** Holds what has come against what was promised. */
  judge(published: ReadonlyMap<string, readonly string[]>): void {
    for (const each of this.peer.got.slice(this.#judged)) {
      this.#judged++;
      if (!('channel' in each)) continue;
      const position = this.positions.get(each.channel);
      const isNext = (offset: string) => {
        const next = published.get(each.channel)?.find((one) => one > (position ?? ''));
        return next === offset;
      };
      if (each.type === 'subscribed') {
        const asked = this.#asked.get(each.id);
        this.#expect((each.resume === 'none') === (asked === undefined), `resume ${each.resume}`, each);
        if (each.resume === 'complete') this.#expect(each.offset === asked, 'stands elsewhere', each);
        this.#expect(
          position === undefined || asked === undefined || each.offset >= asked,
          'went back',
          each,
        );
        this.subscribed.add(each.channel);
      } else if (each.type === 'message') {
        this.#expect(this.subscribed.has(each.channel), 'is not subscribed', each);
        this.#expect(isNext(each.offset), `is not what follows ${position}`, each);
      } else if (each.type === 'gap') {
        this.#expect(each.offset > (position ?? ''), 'does not go on', each);
        const skipsNone = !published
          .get(each.channel)
          ?.some((one) => one > (position ?? '') && one <= each.offset);
        this.#expect(!skipsNone || each.reason === 'reset', 'no gap was there', each);
      } else if (each.type === 'unsubscribed') {
        this.subscribed.delete(each.channel);
        continue;
      } else continue;
      this.positions.set(each.channel, each.offset);
    }
  }

  #expect(isSo: boolean, fault: string, found: object): void {
    if (!isSo) throw new Error(`${fault}: ${JSON.stringify(found)}`);
  }
}

/** A node, its readers, and the truth about what was published. */
class World {
  readonly rig: Rig;
  readonly store: AstrayStore;
  readonly readers: Reader[];
  readonly published = new Map<string, string[]>(CHANNELS.map((channel) => [channel, []]));

  constructor({ messages, maxQueuedBytes, hops }: Setting) {
    let store: AstrayStore | undefined;
    this.rig = new Rig({
      limits: { maxQueuedBytes },
      store: (parts) => {
        const inner = memoryStore({ ...parts, messages, ageMs: 10_000 });
        for (const [channel, offsets] of this.published) {
          void inner.watch(channel, {
            appended: ({ offset }) => offsets.push(offset),
            closed: () => {},
            deleted: () => {},
            moved: () => {},
          });
        }
        store = new AstrayStore(inner);
        return store;
      },
    });
    if (store === undefined) throw new Error('no store was asked for');
    this.store = store;
    let asked = 0;
    this.store.hops = () => hops[asked++ % hops.length] ?? 0;
    this.readers = Array.from({ length: READERS }, () => new Reader(this.rig.peer()));
  }

  happen({ what, reader: at, channel, count, fate }: Event): void {
    const reader = this.readers[at];
    if (reader === undefined) return;
    const { session, carrier } = reader.peer;
    const happens: Record<Event['what'], () => unknown> = {
      publish: () => this.publish(channel, count, fate),
      subscribe: () => reader.subscribe(channel),
      unsubscribe: () => reader.peer.send({ type: 'unsubscribe', channel }),
      stall: () => carrier.stall(),
      drain: () => carrier.drain(),
      cut: () => {
        reader.judge(this.published);
        session.gone('closed');
        reader.comeBack(this.rig.peer());
      },
      late: () => this.store.comeLate((late) => (count % 2 === 0 ? late.reverse() : late)),
      wait: () => {
        this.rig.pass(count * 1000);
        void this.store.sweep();
      },
      delete: () => this.store.delete(channel),
    };
    happens[what]();
  }

  publish(channel: string, count: number, fate: Fate): void {
    this.store.fate = () => fate;
    for (let each = 0; each < count; each++) void this.rig.append(channel, each);
  }

  async go(until: Event['until']): Promise<void> {
    if (until === 'rest') return this.rig.settle();
    if (until === 'turn') return this.rig.turn();
    for (let hops = 0; hops < until; hops++) await Promise.resolve();
  }

  /** Everyone reads, and one more message of each channel is told of. */
  async end(): Promise<void> {
    await this.rig.settle();
    for (const channel of CHANNELS) this.publish(channel, 1, 'prompt');
    for (const { peer } of this.readers) peer.carrier.drain();
    await this.rig.settle();
  }
}

/** Everything that is promised of one channel, as a check of one random history. */
async function check(given: Setting, events: readonly Event[]): Promise<void> {
  const world = new World(given);
  for (const each of events) {
    world.happen(each);
    await world.go(each.until);
  }
  await world.end();
  for (const reader of world.readers) {
    reader.judge(world.published);
    for (const channel of reader.subscribed) {
      const [position, tail] = [reader.positions.get(channel), world.published.get(channel)?.at(-1)];
      if (position !== tail) throw new Error(`a reader of ${channel} ended at ${position}, not at ${tail}`);
    }
    if (reader.peer.carrier.paused) throw new Error('still paused');
  }
  if (world.rig.logged.length > 0) throw new Error(`logged ${String(world.rig.logged[0]?.error)}`);
  for (const { peer } of world.readers) await peer.cut();
  const held = JSON.stringify(world.rig.held());
  if (held !== JSON.stringify(NOTHING_HELD)) throw new Error(`still held: ${held}`);
}

t.test('any history / → order, no silent gap, no duplicate, nothing held at the end', async (t) => {
  const run = fc.asyncProperty(setting, fc.array(event, { minLength: 5, maxLength: 60 }), check);
  await fc.assert(run, { numRuns: 500, endOnFailure: false });
  t.pass('500 histories');
});

t.test('any history without faults / everything kept → every reader has every message', async (t) => {
  const tame = event.map((each) => ({
    ...each,
    fate: 'prompt' as const,
    what: each.what === 'delete' ? ('publish' as const) : each.what,
  }));
  const kept = setting.map((each) => ({ ...each, messages: 1e9 }));
  await fc.assert(
    fc.asyncProperty(kept, fc.array(tame, { minLength: 5, maxLength: 60 }), async (given, events) => {
      const quiet = events.filter(({ what }) => what !== 'wait');
      await check(given, quiet);
    }),
    { numRuns: 200 },
  );
  t.pass('200 histories');
});
