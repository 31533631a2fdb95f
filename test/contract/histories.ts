import fc from 'fast-check';
import type { Test } from 'tap';
import type { AppendOptions, Retention, Store } from '../../src/store/store.js';
import type { Desk } from './desk.js';
import { same } from './model.js';
import { Life, PlainWorld, startOf } from './plain-world.js';
import type { Of, Step } from './steps.js';
import { NAMES, step } from './steps.js';

/** Many channels, forks among them, beside a plain model of them. */
export async function historiesContract(
  t: Test,
  make: (retention: Partial<Retention>) => Promise<Desk>,
): Promise<void> {
  t.test('any history of some channels → every answer is what a plain model says', async (t) => {
    const messages = fc.constantFrom(1e9, 2);
    const reached = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        messages,
        fc.array(step, { minLength: 20, maxLength: 100, size: 'max' }),
        async (kept, steps) => {
          const { store, clock } = await make({ messages: kept });
          const history = new History(store, clock, kept, reached);
          for (const each of steps) await history.take(each);
          for (const name of NAMES)
            await history.take({ do: 'read', channel: name, place: '-1', messages: 1e9 });
          await store.end();
        },
      ),
      { numRuns: 250 },
    );
    const wanted = ['append', 'append duplicate', 'append closed', 'append conflict', 'append fenced'];
    wanted.push('append out_of_sequence', 'append not_found', 'append gone', 'create', 'create same');
    wanted.push('create conflict', 'fork', 'fork same', 'fork conflict', 'fork not_found', 'fork bad_offset');
    wanted.push('read', 'read reset', 'read retention', 'read gone', 'delete', 'over');
    t.same(
      wanted.filter((each) => !reached.has(each)),
      [],
      'and every kind of answer that is not rare was among them',
    );
  });
}

class History {
  readonly #world = new PlainWorld();
  readonly #store: Store;
  readonly #clock: { ms: number };
  readonly #kept: number;
  readonly #reached: Map<string, number>;
  readonly #epochs = new Map<string, string>();
  #texts = 0;

  constructor(store: Store, clock: { ms: number }, kept: number, reached: Map<string, number>) {
    this.#store = store;
    this.#clock = clock;
    this.#kept = kept;
    this.#reached = reached;
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'append') await this.#append(step);
    if (step.do === 'create') await this.#create(step);
    if (step.do === 'fork') await this.#fork(step);
    if (step.do === 'read') await this.#read(step);
    if (step.do === 'delete') await this.#delete(step);
    if (step.do === 'close') await this.#close(step);
    if (step.do === 'stat') await this.#stat(step);
    if (step.do === 'sweep') await this.#store.sweep();
    if (step.do === 'wait') await this.#wait(step);
    same(await this.#store.list('', 10), this.#world.list());
  }

  async #append({ channel, size, closes, createsNot, order, producer: who }: Of<'append'>): Promise<void> {
    const creates = !createsNot;
    const messages = this.#messages(closes ? size : Math.max(1, size));
    const found = creates ? this.#world.find(channel) : this.#world.made(channel);
    const state = typeof found === 'object' ? found.producers.get(who?.id ?? '') : undefined;
    const next = state !== undefined && state.epoch === who?.epoch ? state.lastSeq + 1 : 0;
    const seq = Math.max(0, next + (who?.ahead ?? 0));
    const producer = who && { id: who.id, epoch: who.epoch, seq };
    const options: AppendOptions = { closes, creates, order, producer };
    const answer = await answerOf(this.#store.append(channel, messages, options));
    if (found === 'gone') return this.#is('append gone', answer, 'gone');
    if (found === undefined && !creates) return this.#is('append not_found', answer, 'not_found');
    const life = found ?? (await this.#begin(new Life(channel)));
    const known = producer && life.producers.get(producer.id);
    const code = refusalOf(life, known, options);
    const isClosedAgain = life.closed && closes && messages.length === 0 && producer === undefined;
    if (isClosedAgain)
      this.#is('closed again', answer, { offset: life.offset, duplicate: false, closed: true });
    else if (code !== undefined) this.#is(`append ${code}`, answer, code);
    else if (known !== undefined && producer?.epoch === known.epoch && seq <= known.lastSeq) {
      const stored = { offset: known.offsets[seq], closed: life.closed, producerSeq: known.lastSeq };
      this.#is('append duplicate', answer, { ...stored, duplicate: true });
    } else {
      life.push(textsOf(messages), this.#kept);
      if (producer !== undefined) {
        const { id, epoch } = producer;
        const now = known?.epoch === epoch ? known : { epoch, lastSeq: seq, offsets: [] };
        now.lastSeq = seq;
        now.offsets.push(life.offset);
        life.producers.set(id, now);
      }
      life.order = order ?? life.order;
      life.made = true;
      life.closed = closes;
      const producerSeq = producer && { producerSeq: seq };
      this.#is('append', answer, { offset: life.offset, duplicate: false, closed: closes, ...producerSeq });
    }
    await this.#touch(channel);
  }

  async #create({ channel, ttlSeconds, size, closed }: Of<'create'>): Promise<void> {
    const messages = this.#messages(size);
    const answer = await answerOf(
      this.#store.create(channel, { messages, closed, lifetime: { ttlSeconds } }),
    );
    const found = this.#world.find(channel);
    if (found === 'gone') return this.#is('create conflict', answer, 'conflict');
    if (found?.made === true) {
      const isSame = !found.source && found.ttlSeconds === ttlSeconds && found.closed === closed;
      if (isSame) this.#is('create same', answer, createdOf(found, false));
      else this.#is('create conflict', answer, 'conflict');
      return this.#touch(channel);
    }
    const life = found ?? (await this.#begin(new Life(channel)));
    Object.assign(life, { made: true, closed, ttlSeconds });
    life.push(textsOf(messages), this.#kept);
    this.#is('create', answer, createdOf(life, true));
    await this.#touch(channel);
  }

  async #fork(step: Of<'fork'>): Promise<void> {
    const { channel, source: name, start, skip } = this.#asked(step);
    const fork = { source: name, start: startOf(start), skip };
    const answer = await answerOf(this.#store.create(channel, { fork }));
    const found = this.#world.find(channel);
    if (found === 'gone') return this.#is('fork conflict', answer, 'conflict');
    if (found?.made === true) {
      const isSame = found.source?.name === name && found.asked?.skip === skip && !found.closed;
      if (isSame && found.asked?.starts.includes(start))
        this.#is('fork same', answer, createdOf(found, false));
      else this.#is('fork conflict', answer, 'conflict');
      return this.#touch(channel);
    }
    const source = this.#world.made(name);
    if (source === 'gone') return this.#is('fork conflict', answer, 'conflict');
    if (source === undefined) return this.#is('fork not_found', answer, 'not_found');
    const seq = this.#world.anchor(source, start, skip);
    if (typeof seq !== 'number') return this.#is(`fork ${seq}`, answer, seq);
    if (found !== undefined) this.#world.remove(found);
    const life = await this.#begin(new Life(channel, source, seq));
    life.made = true;
    life.asked = { starts: [start, source.places[seq - skip] ?? ''], skip };
    this.#is('fork', answer, createdOf(life, true));
    await this.#touch(channel);
  }

  /** What is asked for: where it says so and there is a fork, that once more. */
  #asked({ channel, source, place, skip, again }: Of<'fork'>) {
    const life = this.#world.find(channel);
    const { asked, source: before } = typeof life === 'object' && again ? life : {};
    if (asked === undefined || before === undefined)
      return { channel, source, start: this.#place(place, source), skip };
    const start = asked.starts[typeof place === 'number' ? place % 2 : 0] ?? '';
    return { channel, source: before.name, start, skip: asked.skip };
  }

  async #read({ channel, place, messages }: Of<'read'>): Promise<void> {
    const start = this.#place(place, channel);
    const found = this.#world.find(channel);
    const reading = this.#store.read(channel, startOf(start), { messages, bytes: 1e9 });
    const answer = await answerOf(
      reading.then(({ messages, ...page }) => ({
        texts: messages.map(({ data }) => data),
        offsets: messages.map(({ offset }) => offset),
        ...page,
      })),
    );
    if (found === 'gone') return this.#is('read gone', answer, 'gone');
    const life = found ?? (await this.#begin(new Life(channel)));
    const page = life.page(start, messages);
    const lost = typeof page === 'object' && page !== null && 'lost' in page ? page.lost : page;
    this.#is(lost === undefined ? 'read' : `read ${lost}`, answer, page);
    await this.#touch(channel);
  }

  async #delete({ channel }: Of<'delete'>): Promise<void> {
    const answer = await answerOf(this.#store.delete(channel));
    const found = this.#world.find(channel);
    if (found === 'gone') return this.#is('delete gone', answer, 'gone');
    this.#is('delete', answer, found?.made === true);
    if (found !== undefined) this.#world.remove(found);
  }

  async #close({ channel }: Of<'close'>): Promise<void> {
    const answer = await answerOf(this.#store.close(channel));
    const found = this.#world.find(channel);
    if (found === 'gone') return this.#is('close gone', answer, 'gone');
    const life = found ?? (await this.#begin(new Life(channel)));
    Object.assign(life, { closed: true, made: true });
    this.#is('close', answer, { epoch: life.epoch, seq: life.tail, closed: true });
    await this.#touch(channel);
  }

  async #stat({ channel }: Of<'stat'>): Promise<void> {
    const asked = this.#store.stat(channel).then((stat) => stat && { ...stat, bytes: 0, lastAt: 0 });
    const answer = await answerOf(asked);
    const life = this.#world.made(channel);
    if (life === undefined || life === 'gone') return this.#is('stat', answer, life);
    const { epoch, tail: seq, cut, closed, offset, ttlSeconds } = life;
    this.#is('stat', answer, {
      contentType: 'application/json',
      lifetime: { ttlSeconds },
      start: { epoch, seq: cut },
      tail: { epoch, seq, closed },
      offset,
      messages: seq - cut,
      bytes: 0,
      lastAt: 0,
    });
  }

  /** Time passes, and somebody asks for every channel: what is over is deleted then at the latest. */
  async #wait({ ms }: Of<'wait'>): Promise<void> {
    this.#clock.ms += ms;
    const before = this.#world.list().length;
    for (const name of NAMES) await answerOf(this.#store.stat(name));
    this.#world.pass(this.#clock.ms);
    if (this.#world.list().length < before) this.#reached.set('over', 1);
  }

  /** What is no use by the letter may be one: here it is used in any case. */
  async #touch(channel: string): Promise<void> {
    const life = this.#world.find(channel);
    if (life === undefined || life === 'gone') return;
    life.usedAt = this.#clock.ms;
    await this.#store.read(channel, 'now', { messages: 1, bytes: 1 });
    this.#world.offsets.push(...life.places.slice(-2));
  }

  /** A new life: later than every one of that name. */
  async #begin(life: Life): Promise<Life> {
    const { epoch } = await this.#store.open(life.name);
    const before = this.#epochs.get(life.name) ?? '';
    if (epoch <= before) throw new Error(`the epoch ${epoch} is not later than ${before}`);
    this.#epochs.set(life.name, epoch);
    life.begin(epoch);
    life.usedAt = this.#clock.ms;
    return this.#world.enter(life);
  }

  /** One of the channel's own, or one that was ever given out. */
  #place(place: number | string, channel: string): string {
    if (typeof place === 'string') return place;
    const life = this.#world.find(channel);
    const { places, source } = typeof life === 'object' ? life : {};
    const own = [this.#world.offsets, places, places, source?.places][place % 4] ?? this.#world.offsets;
    return own[Math.floor(place / 4) % Math.max(1, own.length)] ?? '-1';
  }

  #messages(count: number) {
    return Array.from({ length: count }, () => ({ from: 'ann', data: String(++this.#texts) }));
  }

  #is(what: string, found: unknown, wanted: unknown): void {
    this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
    same([what, found], [what, wanted]);
  }
}

const textsOf = (messages: readonly { readonly data: string }[]) => messages.map(({ data }) => data);

function createdOf({ epoch, tail: seq, closed, offset }: Life, created: boolean): unknown {
  return { created, tail: { epoch, seq, closed }, offset, contentType: 'application/json' };
}

/** What stands in the way, in its order. */
function refusalOf(
  life: Life,
  known: { readonly epoch: number; readonly lastSeq: number } | undefined,
  { producer, order }: AppendOptions,
): string | undefined {
  if (producer !== undefined && known !== undefined && producer.epoch < known.epoch) return 'fenced';
  const isSameEpoch = producer?.epoch === known?.epoch;
  if (producer && known && isSameEpoch && producer.seq <= known.lastSeq) return undefined;
  if (life.closed) return 'closed';
  const expected = known !== undefined && isSameEpoch ? known.lastSeq + 1 : 0;
  if (producer !== undefined && producer.seq !== expected) return 'out_of_sequence';
  if (order !== undefined && life.order !== undefined && order <= life.order) return 'conflict';
  return undefined;
}

/** An answer, or the code of a refusal. */
function answerOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error) return error.code;
    throw error;
  });
}
