import type { Producer } from '../protocol/commands.js';
import { Refused } from '../protocol/refused.js';

/** What a producer that repeats itself is answered from. */
interface ProducerState {
  epoch: number;
  lastSeq: number;
  /** Where in the log its last messages stand, the newest at the end. */
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

  /**
   * The `seq` in the log that this very message got before, or undefined where it is the next one.
   * Throws `fenced`, `out_of_sequence` or `too_many`.
   */
  check(producer: Producer, now: number): number | undefined {
    const state = this.#states.get(producer.id);
    if (state === undefined) {
      expectSeq(0, producer.seq);
      this.#makeRoom(now);
      return undefined;
    }
    if (producer.epoch < state.epoch)
      throw new Refused('fenced', `epoch ${state.epoch} of this producer has taken over`);
    if (producer.epoch > state.epoch) return expectSeq(0, producer.seq);
    if (producer.seq > state.lastSeq) return expectSeq(state.lastSeq + 1, producer.seq);
    return placeOf(state, producer.seq);
  }

  /** Notes that the message was stored as the log's `place`-th. */
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

function expectSeq(expected: number, seq: number): undefined {
  if (seq !== expected) throw new Refused('out_of_sequence', `expected seq ${expected}, got ${seq}`);
}

/** An older repeat than the remembered ones is answered with the oldest of those: at or after its own. */
function placeOf(state: ProducerState, seq: number): number {
  const back = state.lastSeq - seq;
  const place = state.places.at(-1 - back) ?? state.places[0];
  if (place === undefined) throw new Error('a producer without a message');
  return place;
}
