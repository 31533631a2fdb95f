import fc from 'fast-check';
import type { Test } from 'tap';
import { formatOffset } from '../../src/protocol/offset.js';
import type { Retention, Store } from '../../src/store/store.js';
import type { Desk } from './desk.js';
import { KEEP_ALL } from './desk.js';

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

export async function modelContract(
  t: Test,
  make: (retention: Partial<Retention>) => Promise<Desk>,
): Promise<void> {
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
  lastAt = 0;
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
      const answer = await store.append('a', [{ from: 'ann', data }]).catch(({ code }) => code);
      if (model.closed) return same(answer, 'closed');
      const seq = model.tail + 1;
      model.lastAt = Math.max(clock.ms, model.lastAt); // a clock that is set back makes no message older than the one before
      model.log.push({ seq, at: model.lastAt, data });
      model.trim(clock.ms);
      model.places.push({ epoch: model.epoch, seq });
      return same(answer, { offset: formatOffset(model.epoch, seq), duplicate: false, closed: false });
    }
    case 'read': {
      model.trim(clock.ms);
      const place = model.places[step.place % model.places.length];
      if (place === undefined) return;
      const { messages, startOffset, offset, ...page } = await store.read('a', place, {
        messages: step.messages,
        bytes: 1e9,
      });
      same(startOffset, formatOffset(page.epoch, page.seq - messages.length));
      same(offset, formatOffset(page.epoch, page.seq));
      return same({ data: messages.map(({ data }) => data), ...page }, model.page(place, step.messages));
    }
    case 'wait':
      clock.ms += step.ms;
      return;
    case 'close':
      model.closed = true;
      return same(await store.close('a'), { epoch: model.epoch, seq: model.tail, closed: true });
    case 'sweep':
      await store.sweep();
      return;
    case 'delete': {
      await store.delete('a');
      const { epoch } = await store.open('a');
      if (epoch <= model.epoch) throw new Error(`the epoch ${epoch} is not later than ${model.epoch}`);
      Object.assign(model, { log: [], gone: 0, closed: false, lastAt: 0, epoch });
      model.places.push({ epoch, seq: 0 });
    }
  }
}

/** A step that trims late may not differ either: compared as text, keys in one order. */
export function same(found: unknown, wanted: unknown): void {
  const print = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
        : each,
    );
  if (print(found) !== print(wanted)) throw new Error(`found ${print(found)}, wanted ${print(wanted)}`);
}
