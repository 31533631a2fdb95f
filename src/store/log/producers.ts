import type { Producer } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import { Fenced, OutOfSequence } from '../refusals.js';
import type { LogState } from './log-state.js';

/** What a producer that repeats itself is answered from. Plain data. */
export interface ProducerState {
  readonly epoch: number;
  readonly lastSeq: number;
  /** Where in the log its last appends stand, the newest at the end. */
  readonly places: readonly number[];
  readonly usedAt: number;
}

/** Where what is known of the producers of one log is kept. */
export interface ProducerStates {
  get(id: string): ProducerState | undefined;
  set(id: string, state: ProducerState): void;
  delete(id: string): void;
  all(): Iterable<readonly [string, ProducerState]>;
}

const MAX_PRODUCERS = 10_000;
/** A producer that is silent for longer may be forgotten when room is needed. */
const FORGETTABLE_AFTER_MS = 10 * 60_000;
/** All are looked at to find the oldest; many go at once, so that it isn't done for each. */
const FORGOTTEN_AT_ONCE = 100;
const REMEMBERED_PLACES = 64;

/** The producers of one channel, by the rules of Durable Streams §5.2.1. */
export class Producers {
  readonly #states: ProducerStates;
  readonly #log: Pick<LogState, 'producers' | 'producersFullUntil'>;

  constructor(states: ProducerStates, log: Pick<LogState, 'producers' | 'producersFullUntil'>) {
    this.#states = states;
    this.#log = log;
  }

  /** Where in the log this very append stands, or undefined where it is a new one. Throws `Fenced`. */
  find(producer: Producer): number | undefined {
    const state = this.#states.get(producer.id);
    if (state === undefined || producer.epoch > state.epoch) return undefined;
    if (producer.epoch < state.epoch) throw new Fenced(state.epoch);
    return producer.seq > state.lastSeq ? undefined : placeOf(state, producer.seq);
  }

  /** Throws `OutOfSequence` where it is not the producer's next, and `too_many` where there is no room for one more. */
  expect(producer: Producer, now: number): void {
    const state = this.#states.get(producer.id);
    const isNewEpoch = state !== undefined && producer.epoch > state.epoch;
    const expected = state === undefined || isNewEpoch ? 0 : state.lastSeq + 1;
    if (producer.seq !== expected) throw new OutOfSequence(expected, producer.seq, isNewEpoch);
    if (state === undefined) this.#checkRoom(now);
  }

  /** The highest that is stored of its epoch. */
  lastSeq({ id }: Producer): number | undefined {
    return this.#states.get(id)?.lastSeq;
  }

  /** Notes that the append was stored, up to the log's `place`-th message. */
  accept(producer: Producer, place: number, now: number): void {
    const before = this.#states.get(producer.id);
    if (before === undefined) this.#log.producers++;
    const places = before?.epoch === producer.epoch ? before.places.slice(1 - REMEMBERED_PLACES) : [];
    const { epoch, seq: lastSeq } = producer;
    this.#states.set(producer.id, { epoch, lastSeq, places: [...places, place], usedAt: now });
  }

  /** Where there are as many as there may be, some of those that have long been silent are forgotten. */
  #checkRoom(now: number): void {
    if (this.#log.producers < MAX_PRODUCERS) return;
    if (now >= this.#log.producersFullUntil) this.#forget(now - FORGETTABLE_AFTER_MS);
    if (this.#log.producers >= MAX_PRODUCERS)
      throw new Refused('too_many', `the channel has ${MAX_PRODUCERS} producers already`);
  }

  #forget(usedBy: number): void {
    const all = [...this.#states.all()].map(([id, { usedAt }]) => ({ id, usedAt }));
    all.sort((left, right) => left.usedAt - right.usedAt);
    const silent = all.slice(0, FORGOTTEN_AT_ONCE).filter(({ usedAt }) => usedAt <= usedBy);
    for (const { id } of silent) this.#states.delete(id);
    this.#log.producers -= silent.length;
    const oldest = all[silent.length];
    if (oldest !== undefined) this.#log.producersFullUntil = oldest.usedAt + FORGETTABLE_AFTER_MS;
  }
}

/** An older repeat than the remembered ones is answered with the oldest of those: at or after its own. */
function placeOf(state: ProducerState, seq: number): number {
  const back = state.lastSeq - seq;
  const place = state.places.at(-1 - back) ?? state.places[0];
  if (place === undefined) throw new Error('a producer without a message');
  return place;
}
