import fc from 'fast-check';
import type { Test } from 'tap';
import type { Start } from '../../src/protocol/offset.js';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';
import type { Page, Retention, Store, StoredMessage, Tail, Watcher } from '../../src/store/store.js';
import { existenceContract } from './existence.js';

/** What a store under test is given. */
export interface StoreParts {
  /** For every channel. */
  readonly retention: Retention;
  /** The time in ms since 1970. */
  readonly now: () => number;
}
export type MakeStore = (parts: StoreParts) => Store | Promise<Store>;

const KEEP_ALL: Retention = { messages: 1e9, ageMs: 1e12, bytes: 1e12 };
const EVERYTHING = { messages: 1e9, bytes: 1e9 };

/** A store, the clock that it looks at, and short ways to ask it. */
export class Desk {
  readonly store: Store;
  readonly clock: { ms: number };

  constructor(store: Store, clock: { ms: number }) {
    this.store = store;
    this.clock = clock;
  }

  async append(data: unknown, channel = 'a'): Promise<string> {
    const { offset } = await this.store.append(channel, { from: 'ann', data: JSON.stringify(data) });
    return offset;
  }

  produce(id: string, epoch: number, seq: number, data: unknown = seq) {
    return this.store.append('a', { from: 'ann', data: JSON.stringify(data) }, { id, epoch, seq });
  }

  read(start: Start | string = '-1', bound = EVERYTHING, channel = 'a'): Promise<Page> {
    return this.store.read(channel, typeof start === 'string' ? parseOffset(start) : start, bound);
  }

  async data(start: Start | string = '-1', bound = EVERYTHING): Promise<unknown[]> {
    return dataOf(await this.read(start, bound));
  }
}

const dataOf = (page: Page): unknown[] => page.messages.map(({ data }) => JSON.parse(data));
/** Where a page ends, as an offset. */
const endOf = (place: Tail | Page): string => formatOffset(place.epoch, place.seq);
/** A store's limits on messages are met on time or a little after; this is long after. */
const LONG_MS = 10 ** 9;

/**
 * The text of src/store/store.ts as a suite: what every store promises. The test file of a store calls it and
 * adds what is its own: what survives the end of the process, and what bounds it.
 */
export function storeContract(t: Test, makeStore: MakeStore): void {
  const make = async (retention: Partial<Retention> = {}): Promise<Desk> => {
    const clock = { ms: 1_800_000_000_000 };
    const store = await makeStore({ retention: { ...KEEP_ALL, ...retention }, now: () => clock.ms });
    return new Desk(store, clock);
  };
  const desk: MakeDesk = async (t, retention) => {
    const made = await make(retention);
    t.teardown(() => made.store.end());
    return made;
  };
  t.test('append and read', (t) => logContract(t, desk));
  t.test('producers', (t) => producerContract(t, desk));
  t.test('retention', (t) => retentionContract(t, desk));
  t.test('existence', (t) => existenceContract(t, desk));
  t.test('close and delete', (t) => endingContract(t, desk));
  t.test('watch', (t) => watchContract(t, desk));
  t.test('model', (t) => modelContract(t, make));
}

export type MakeDesk = (t: Test, retention?: Partial<Retention>) => Promise<Desk>;

async function logContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('open / a channel that does not exist → has a position before the first message', async (t) => {
    const { store, append, data } = bound(await desk(t));
    const tail = await store.open('a');
    t.match(tail, { seq: 0, closed: false });
    t.same(await store.open('a'), tail, 'and keeps it');
    await append('first');
    t.same(await data(endOf(tail)), ['first'], 'from which reading goes on');
    t.same(await store.open('a'), { ...tail, seq: 1 });
  });

  t.test('append / answered → the message can be read, as it was handed over', async (t) => {
    const { store, read, clock } = bound(await desk(t));
    const text = '{ "b":1,\t"a":"\\u00e9\\n" ,"b":2}';
    const { offset, duplicate } = await store.append('a', { from: 'ann "b"', data: text });
    t.equal(duplicate, false);
    const page = await read();
    t.same(page.messages, [{ seq: 1, offset, from: 'ann "b"', at: clock.ms, data: text }]);
    t.match(page, { seq: 1, lost: undefined, upToDate: true, closed: false });
    t.equal(endOf(page), offset, 'the offset is the position after it');
  });

  t.test('append / many at once → take effect in the order of the calls', async (t) => {
    const { append, data, read } = bound(await desk(t));
    const numbers = Array.from({ length: 100 }, (_, at) => at);
    const offsets = await Promise.all(numbers.map((each) => append(each)));
    t.same(await data(), numbers);
    t.same(
      (await read()).messages.map(({ offset }) => offset),
      offsets,
    );
    t.same([...offsets].sort(), offsets, 'and their offsets sort by bytes');
    t.equal(new Set(offsets).size, 100);
  });

  t.test('append / to another channel → is another log', async (t) => {
    const { append, data, read } = bound(await desk(t));
    await append(1, 'a');
    await append(2, 'b/c');
    t.same(await data(), [1]);
    t.same(dataOf(await read('-1', EVERYTHING, 'b/c')), [2]);
  });

  t.test('read / any offset that was given → what follows it, without a hole', async (t) => {
    const { append, data } = bound(await desk(t));
    const offsets = await Promise.all([1, 2, 3].map((each) => append(each)));
    t.same(await Promise.all(offsets.map((offset) => data(offset))), [[2, 3], [3], []]);
  });

  t.test('read / now → an empty page at the tail', async (t) => {
    const { append, read } = bound(await desk(t));
    const offset = await append(1);
    const page = await read('now');
    t.match(page, { messages: [], lost: undefined, upToDate: true });
    t.equal(endOf(page), offset);
  });

  t.test('read / bounded by count → pages that join', async (t) => {
    const { append, read } = bound(await desk(t));
    await Promise.all([1, 2, 3].map((each) => append(each)));
    const first = await read('-1', { messages: 2, bytes: 1e6 });
    t.same(dataOf(first), [1, 2]);
    t.equal(first.upToDate, false);
    const second = await read(first, { messages: 2, bytes: 1e6 });
    t.same(dataOf(second), [3]);
    t.equal(second.upToDate, true);
  });

  t.test('read / bounded by bytes → fewer, but one at least', async (t) => {
    const { append, data } = bound(await desk(t));
    const offset = await append('x'.repeat(1000));
    await append('y'.repeat(1000));
    await append('z');
    t.equal((await data('-1', { messages: 10, bytes: 2500 })).length, 3);
    t.equal((await data('-1', { messages: 10, bytes: 1500 })).length, 1);
    t.equal((await data('-1', { messages: 10, bytes: 1 })).length, 1, 'one that is larger than the bound');
    t.same(await data(offset, { messages: 10, bytes: 1005 }), ['y'.repeat(1000)]);
  });

  t.test('read / beyond the tail → bad_offset', async (t) => {
    const { store, append, read } = bound(await desk(t));
    await append(1);
    const { epoch } = await store.open('a');
    await t.rejects(read({ epoch, seq: 2 }), { name: 'Refused', code: 'bad_offset' });
    t.same(dataOf(await read({ epoch, seq: 0 })), [1]);
  });

  t.test('ping / a store that works → resolves', async (t) => {
    const { store } = await desk(t);
    await t.resolves(store.ping());
  });
}

async function producerContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('producer / repeats itself → answered as the first time, stored once', async (t) => {
    const { produce, data } = bound(await desk(t));
    const first = await produce('p', 0, 0, 'one');
    t.equal(first.duplicate, false);
    t.same(await produce('p', 0, 0, 'one'), { offset: first.offset, duplicate: true });
    t.same(await produce('p', 0, 0, 'one'), { offset: first.offset, duplicate: true });
    t.same(await data(), ['one']);
  });

  t.test('producer / repeats itself after many others → answered as the first time', async (t) => {
    const { produce, append, data } = bound(await desk(t));
    const first = await produce('p', 0, 0);
    for (let seq = 1; seq <= 60; seq++) {
      await produce('p', 0, seq);
      await produce('q', 0, seq - 1);
      await append('from nobody');
    }
    t.same(await produce('p', 0, 0), { ...first, duplicate: true });
    t.equal((await data()).length, 181);
  });

  t.test('producer / the same at once → stored once, one offset', async (t) => {
    const { produce, data } = bound(await desk(t));
    const answers = await Promise.all([produce('p', 0, 0), produce('p', 0, 0), produce('p', 0, 1)]);
    t.same(
      answers.map(({ duplicate }) => duplicate),
      [false, true, false],
    );
    t.equal(answers[1]?.offset, answers[0]?.offset);
    t.same(await data(), [0, 1]);
  });

  t.test('producer / a hole in its numbers → out_of_sequence, and nothing is stored', async (t) => {
    const { produce, data } = bound(await desk(t));
    await t.rejects(produce('p', 0, 1), { code: 'out_of_sequence' }, 'the first is 0');
    await produce('p', 0, 0);
    await t.rejects(produce('p', 0, 2), { code: 'out_of_sequence' });
    await produce('p', 0, 1);
    t.same(await data(), [0, 1]);
  });

  t.test('producer / a later epoch → begins at 0 and fences the earlier', async (t) => {
    const { produce, data } = bound(await desk(t));
    await produce('p', 0, 0, 'old');
    await t.rejects(produce('p', 3, 1), { code: 'out_of_sequence' }, 'a new epoch begins at 0');
    await produce('p', 0, 1, 'still old: the refused one fenced nothing');
    await produce('p', 3, 0, 'new');
    await t.rejects(produce('p', 0, 2), { code: 'fenced' });
    await t.rejects(produce('p', 0, 0), { code: 'fenced' }, 'its repeats as well');
    t.equal((await produce('p', 3, 0)).duplicate, true);
    t.equal((await data()).length, 3);
  });

  t.test('producer / of another name or channel → another count', async (t) => {
    const { store, produce } = bound(await desk(t));
    await produce('p', 5, 0);
    t.equal((await produce('q', 0, 0)).duplicate, false);
    const elsewhere = await store.append('b', { from: 'ann', data: '1' }, { id: 'p', epoch: 0, seq: 0 });
    t.equal(elsewhere.duplicate, false);
  });

  t.test('producer / a repeat of what retention took → still a duplicate', async (t) => {
    const { produce, append, data } = bound(await desk(t, { messages: 1 }));
    const first = await produce('p', 0, 0);
    await append('newer');
    t.same(await produce('p', 0, 0), { ...first, duplicate: true });
    t.same(await data(), ['newer']);
  });
}

async function retentionContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('retention / by count → the oldest go, and who stood there is told so', async (t) => {
    const { append, read, data } = bound(await desk(t, { messages: 2 }));
    const [first, second] = [await append(1), await append(2)];
    await append(3);
    await append(4);
    t.same(await data(), [3, 4]);
    const page = await read(first);
    t.equal(page.lost, 'retention');
    t.same(dataOf(page), [3, 4], 'what is kept comes');
    t.match(await read(second), { lost: undefined }, 'after the last that is gone nothing is missing');
    t.match(await read('-1'), { lost: undefined }, 'the beginning is the beginning of what is kept');
    t.match(await read('now'), { lost: undefined });
  });

  t.test('retention / lost and bounded → the page begins at the oldest kept', async (t) => {
    const { append, read } = bound(await desk(t, { messages: 3 }));
    const first = await append(1);
    for (const each of [2, 3, 4, 5]) await append(each);
    const page = await read(first, { messages: 1, bytes: 1e6 });
    t.match(page, { lost: 'retention', upToDate: false });
    t.same(dataOf(page), [3]);
    t.same(dataOf(await read(page)), [4, 5]);
  });

  t.test('retention / by age → old ones go with time alone', async (t) => {
    const { append, read, data, clock } = bound(await desk(t, { ageMs: 1000 }));
    const first = await append('old');
    clock.ms += 600;
    await append('young');
    clock.ms += 400;
    t.same(await data(), ['old', 'young'], 'at the age itself it is still kept');
    clock.ms += 1;
    t.same(await data(), ['young']);
    clock.ms += 1000;
    const page = await read(first);
    t.match(page, { messages: [], lost: 'retention', upToDate: true });
    t.same(await data(page), [], 'the position that it gave is good');
    t.match(await read(page), { lost: undefined });
  });

  t.test('retention / by bytes → the oldest go', async (t) => {
    const { append, data } = bound(await desk(t, { bytes: 3000 }));
    for (const each of ['a', 'b', 'c', 'd']) await append(each.repeat(1000));
    const kept = await data();
    t.same(
      kept.map((each) => String(each)[0]),
      ['c', 'd'],
    );
  });

  t.test('retention / none → only what is in flight: told to watchers, never read', async (t) => {
    const { store, append, read } = bound(await desk(t, { messages: 0 }));
    const heard: StoredMessage[] = [];
    await store.watch('a', watcher({ appended: (message) => heard.push(message) }));
    const tail = await store.open('a');
    const offset = await append('flying');
    t.match(heard, [{ offset, data: '"flying"' }]);
    t.match(await read('-1'), { messages: [], seq: 1, upToDate: true });
    t.match(await read(tail), { messages: [], lost: 'retention', seq: 1, upToDate: true });
    t.match(await read(offset), { messages: [], lost: undefined, upToDate: true });
  });

  t.test('sweep / after long → frees, and no position goes bad', async (t) => {
    const { store, append, read, clock } = bound(await desk(t, { ageMs: 1000 }));
    const unwatch = await store.watch('a', watcher({}));
    const offset = await append('old');
    clock.ms += LONG_MS;
    for (let times = 0; times < 3; times++) store.sweep();
    t.match(await read(offset), { messages: [], lost: undefined, upToDate: true });
    unwatch();
  });
}

async function endingContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('close / a log with messages → read on, append refused', async (t) => {
    const { store, append, read } = bound(await desk(t));
    const offset = await append(1);
    const tail = await store.close('a');
    t.match(tail, { seq: 1, closed: true });
    t.equal(endOf(tail), offset);
    await t.rejects(append(2), { name: 'Refused', code: 'closed' });
    const page = await read();
    t.same(dataOf(page), [1]);
    t.match(page, { upToDate: true, closed: true });
    t.match(await store.open('a'), { seq: 1, closed: true });
    t.same(await store.close('a'), tail, 'closing twice is closing once');
  });

  t.test('close / an accepted message is repeated → still answered', async (t) => {
    const { store, produce } = bound(await desk(t));
    const first = await produce('p', 0, 0);
    await store.close('a');
    t.same(await produce('p', 0, 0), { ...first, duplicate: true });
    await t.rejects(produce('p', 0, 1), { code: 'closed' });
    await t.rejects(produce('q', 0, 0), { code: 'closed' });
  });

  t.test('close / a channel that does not exist → is closed from the first', async (t) => {
    const { store, append } = bound(await desk(t));
    t.match(await store.close('a'), { seq: 0, closed: true });
    await t.rejects(append(1), { code: 'closed' });
  });

  t.test('delete / and made again → a later life: reset, and no offset twice', async (t) => {
    const { store, append, read, data, clock } = bound(await desk(t));
    const offsets: string[] = [];
    for (const setBackMs of [0, 0, 5000, 0]) {
      clock.ms -= setBackMs;
      offsets.push(await append(1), await append(2));
      await store.delete('a');
    }
    t.same([...offsets].sort(), offsets, 'also where the clock stands still or is set back');
    t.equal(new Set(offsets).size, 8);
    await append('new');
    for (const offset of offsets) t.match(await read(offset), { lost: 'reset', seq: 1 });
    t.same(await data(offsets[0]), ['new'], 'what is there comes');
  });

  t.test('delete / a reader comes back to nothing → reset at a position that is good', async (t) => {
    const { store, append, read } = bound(await desk(t));
    const offset = await append(1);
    await store.delete('a');
    const page = await read(offset);
    t.match(page, { messages: [], lost: 'reset', seq: 0, upToDate: true, closed: false });
    const next = await append(2);
    t.match(await read(page), { messages: [{ offset: next }], lost: undefined });
    t.ok(next > offset);
  });

  t.test('delete / of a closed log with producers → forgets both', async (t) => {
    const { store, produce, append } = bound(await desk(t));
    await produce('p', 7, 0);
    await store.close('a');
    await store.delete('a');
    t.equal((await produce('p', 0, 0)).duplicate, false);
    await append('open again');
  });

  t.test('delete / what does not exist → is no fault', async (t) => {
    const { store, append, data } = bound(await desk(t));
    await store.delete('a');
    await append(1);
    await store.delete('b');
    t.same(await data(), [1]);
  });
}

async function watchContract(t: Test, desk: MakeDesk): Promise<void> {
  t.test('watch / an append → heard, and never before it can be read', async (t) => {
    const { store, append, read } = bound(await desk(t));
    const pages: Promise<Page>[] = [];
    const heard: string[] = [];
    await store.watch(
      'a',
      watcher({
        appended: (message, epoch) => {
          heard.push(formatOffset(epoch, message.seq));
          pages.push(read({ epoch, seq: message.seq - 1 }));
        },
      }),
    );
    const offsets = [await append(1), await append(2)];
    t.same(heard, offsets);
    t.same(
      (await Promise.all(pages)).map((page) => page.messages[0]?.offset),
      offsets,
    );
  });

  t.test('watch / a duplicate or a refused append → is not heard', async (t) => {
    const { store, produce, append } = bound(await desk(t));
    const heard: unknown[] = [];
    await store.watch('a', watcher({ appended: ({ data }) => heard.push(JSON.parse(data)) }));
    await produce('p', 0, 0, 'once');
    await produce('p', 0, 0, 'once');
    await t.rejects(produce('p', 0, 5));
    await append('elsewhere', 'b');
    await append('after');
    t.same(heard, ['once', 'after']);
  });

  t.test('watch / several watchers, one ends itself when called → the others hear all', async (t) => {
    const { store, append } = bound(await desk(t));
    const heard: string[] = [];
    const unwatch = await store.watch(
      'a',
      watcher({
        appended: ({ data }) => {
          heard.push(`first ${data}`);
          unwatch();
        },
      }),
    );
    await store.watch('a', watcher({ appended: ({ data }) => heard.push(`second ${data}`) }));
    await append(1);
    await append(2);
    t.same(heard.sort(), ['first 1', 'second 1', 'second 2']);
    unwatch();
    await append(3);
    t.equal(heard.length, 4, 'ending it twice is ending it once');
  });

  t.test('watch / close → told once, with the tail', async (t) => {
    const { store, append } = bound(await desk(t));
    const tails: Tail[] = [];
    await store.watch('a', watcher({ closed: (tail) => tails.push(tail) }));
    await append(1);
    const tail = await store.close('a');
    await store.close('a');
    t.same(tails, [tail]);
  });

  t.test('watch / delete → told, and the next life is heard as well', async (t) => {
    const { store, append } = bound(await desk(t));
    const heard: string[] = [];
    const unwatch = await store.watch(
      'a',
      watcher({ appended: ({ offset }) => heard.push(offset), deleted: () => heard.push('deleted') }),
    );
    const first = await append(1);
    await store.delete('a');
    const second = await append(1);
    t.same(heard, [first, 'deleted', second]);
    unwatch();
    await append(2);
    t.equal(heard.length, 3);
  });
}

/** What may be done to one channel. */
type Step =
  | { readonly do: 'append'; readonly size: number }
  | { readonly do: 'read'; readonly place: number; readonly messages: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'close' | 'delete' | 'sweep' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), size: fc.nat(30) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      place: fc.nat(),
      messages: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: -50, max: 120 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'delete' as const, 'sweep' as const) }),
  },
);

async function modelContract(t: Test, make: (retention: Partial<Retention>) => Promise<Desk>): Promise<void> {
  t.test('any history of one channel → every page is what a ten-line model says', async (t) => {
    const retention = fc.record({
      messages: fc.constantFrom(0, 1, 4, 1e9),
      ageMs: fc.constantFrom(100, 1e12),
    });
    await fc.assert(
      fc.asyncProperty(retention, fc.array(step, { maxLength: 60 }), async (kept, steps) => {
        const { store, clock } = await make(kept);
        const model = new Model({ ...KEEP_ALL, ...kept }, (await store.open('a')).epoch);
        for (const each of steps) await take(each, store, clock, model);
        await store.end();
      }),
      { numRuns: 150 },
    );
    t.pass('150 histories');
  });
}

interface Written {
  readonly seq: number;
  readonly at: number;
  readonly data: string;
}

/** A log in the plainest way there is. */
class Model {
  log: Written[] = [];
  gone = 0;
  closed = false;
  epoch: string;
  readonly places: { readonly epoch: string; readonly seq: number }[] = [];
  readonly #retention: Retention;

  constructor(retention: Retention, epoch: string) {
    this.#retention = retention;
    this.epoch = epoch;
    this.places.push({ epoch, seq: 0 });
  }

  get tail(): number {
    return this.gone + this.log.length;
  }

  trim(now: number): void {
    const isOver = () => this.log.length > this.#retention.messages;
    const isOld = () => (this.log[0]?.at ?? Infinity) < now - this.#retention.ageMs;
    while (isOver() || isOld()) {
      this.log.shift();
      this.gone++;
    }
  }

  page(place: { epoch: string; seq: number }, messages: number) {
    const lost = place.epoch !== this.epoch ? 'reset' : place.seq < this.gone ? 'retention' : undefined;
    const from = lost === undefined ? place.seq : this.gone;
    const found = this.log.filter(({ seq }) => seq > from).slice(0, messages);
    const seq = from + found.length;
    const { epoch, closed } = this;
    return { data: found.map(({ data }) => data), epoch, seq, lost, upToDate: seq === this.tail, closed };
  }
}

async function take(step: Step, store: Store, clock: { ms: number }, model: Model): Promise<void> {
  switch (step.do) {
    case 'append': {
      const data = JSON.stringify('x'.repeat(step.size));
      const answer = await store.append('a', { from: 'ann', data }).catch(({ code }) => code);
      if (model.closed) return same(answer, 'closed');
      const seq = model.tail + 1;
      model.log.push({ seq, at: clock.ms, data });
      model.trim(clock.ms);
      model.places.push({ epoch: model.epoch, seq });
      return same(answer, { offset: formatOffset(model.epoch, seq), duplicate: false });
    }
    case 'read': {
      model.trim(clock.ms);
      const place = model.places[step.place % model.places.length];
      if (place === undefined) return;
      const { messages, ...page } = await store.read('a', place, { messages: step.messages, bytes: 1e9 });
      return same({ data: messages.map(({ data }) => data), ...page }, model.page(place, step.messages));
    }
    case 'wait':
      clock.ms += step.ms;
      return;
    case 'close':
      model.closed = true;
      return same(await store.close('a'), { epoch: model.epoch, seq: model.tail, closed: true });
    case 'sweep':
      store.sweep();
      return;
    case 'delete': {
      await store.delete('a');
      const { epoch } = await store.open('a');
      if (epoch <= model.epoch) throw new Error(`the epoch ${epoch} is not later than ${model.epoch}`);
      Object.assign(model, { log: [], gone: 0, closed: false, epoch });
      model.places.push({ epoch, seq: 0 });
    }
  }
}

/** A step that trims late may not differ either: compared as text, keys in one order. */
function same(found: unknown, wanted: unknown): void {
  const print = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
        : each,
    );
  if (print(found) !== print(wanted)) throw new Error(`found ${print(found)}, wanted ${print(wanted)}`);
}

function watcher(hears: Partial<Watcher>): Watcher {
  return { appended: () => {}, closed: () => {}, deleted: () => {}, ...hears };
}

/** A desk whose short ways can be taken apart. */
function bound(desk: Desk) {
  const { store, clock } = desk;
  return {
    store,
    clock,
    append: desk.append.bind(desk),
    produce: desk.produce.bind(desk),
    read: desk.read.bind(desk),
    data: desk.data.bind(desk),
  };
}
