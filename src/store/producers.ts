import type { Producer } from '../protocol/commands.js';
import { Refused } from '../protocol/refused.js';
import { Fenced, OutOfSequence } from './refusals.js';

/** What a producer that repeats itself is answered from. */
interface ProducerState {
  epoch: number;
  lastSeq: number;
  /** Where in the log its last appends stand, the newest at the end. */
  places: number[];
  usedAt: number;
}

const MAX_PRODUCERS = 10_000;
/** A producer that is silent for longer may be forgotten when room is needed. */
const FORGETTABLE_AFTER_MS = 10 * 60_000;
const REMEMBERED_PLACES = 64;

/** The producers of one channel, by the rules of Durable Streams §5.2.1. */
export class Producers {
  /** In the order of their last use. */
  readonly #states = new Map<string, ProducerState>();

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
    if (state === undefined) this.#makeRoom(now);
  }

  /** The highest that is stored of its epoch. */
  lastSeq({ id }: Producer): number | undefined {
    return this.#states.get(id)?.lastSeq;
  }

  /** Notes that the append was stored, up to the log's `place`-th message. */
  accept(producer: Producer, place: number, now: number): void {
    const before = this.#states.get(producer.id);
    const state =
      before?.epoch === producer.epoch
        ? before
        : { epoch: producer.epoch, lastSeq: 0, places: [] as number[], usedAt: now };
    state.lastSeq = producer.seq;
    state.usedAt = now;
    state.places.push(place);
    if (state.places.length > REMEMBERED_PLACES * 2) state.places = state.places.slice(-REMEMBERED_PLACES);
    this.#states.delete(producer.id);
    this.#states.set(producer.id, state);
  }

  #makeRoom(now: number): void {
    if (this.#states.size < MAX_PRODUCERS) return;
    for (const [id, state] of this.#states) {
      if (now - state.usedAt < FORGETTABLE_AFTER_MS) break;
      this.#states.delete(id);
      return;
    }
    throw new Refused('too_many', `the channel has ${MAX_PRODUCERS} producers already`);
  }
}

/** An older repeat than the remembered ones is answered with the oldest of those: at or after its own. */
function placeOf(state: ProducerState, seq: number): number {
  const back = state.lastSeq - seq;
  const place = state.places.at(-1 - back) ?? state.places[0];
  if (place === undefined) throw new Error('a producer without a message');
  return place;
}
