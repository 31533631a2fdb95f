import type { Producer } from '../protocol/commands.js';
import { Refused } from '../protocol/refused.js';

/** What a producer that repeats itself is answered from. */
interface ProducerState {
  epoch: number;
  lastSeq: number;
  /** The offsets of its last messages, the newest at the end. */
  offsets: string[];
  usedAt: number;
}

const MAX_PRODUCERS = 10_000;
/** A producer that is silent for longer may be forgotten when room is needed. */
const FORGETTABLE_AFTER_MS = 10 * 60_000;
const REMEMBERED_OFFSETS = 256;

/** The producers of one channel, by the rules of Durable Streams §5.2.1. */
export class Producers {
  /** In the order of their last use. */
  readonly #states = new Map<string, ProducerState>();

  /**
   * The offset that this very message got before, or undefined where it is the next one.
   * Throws `fenced`, `out_of_sequence`, `conflict` or `too_many`. Changes nothing.
   */
  check(producer: Producer, now: number): string | undefined {
    const state = this.#states.get(producer.id);
    if (state === undefined) {
      this.#checkRoom(now);
      return expectSeq(0, producer.seq);
    }
    if (producer.epoch < state.epoch)
      throw new Refused('fenced', `epoch ${state.epoch} of this producer has taken over`);
    if (producer.epoch > state.epoch) return expectSeq(0, producer.seq);
    if (producer.seq > state.lastSeq) return expectSeq(state.lastSeq + 1, producer.seq);
    return offsetOf(state, producer.seq);
  }

  /** Notes that the message was stored at `offset`. */
  accept(producer: Producer, offset: string, now: number): void {
    const before = this.#states.get(producer.id);
    const state =
      before?.epoch === producer.epoch
        ? before
        : { epoch: producer.epoch, lastSeq: 0, offsets: [] as string[], usedAt: now };
    state.lastSeq = producer.seq;
    state.usedAt = now;
    state.offsets.push(offset);
    if (state.offsets.length > REMEMBERED_OFFSETS * 2)
      state.offsets = state.offsets.slice(-REMEMBERED_OFFSETS);
    this.#states.delete(producer.id);
    this.#states.set(producer.id, state);
  }

  #checkRoom(now: number): void {
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
function offsetOf(state: ProducerState, seq: number): string {
  const back = state.lastSeq - seq;
  const offset = state.offsets.at(-1 - back) ?? state.offsets[0];
  if (offset === undefined) throw new Error('a producer state without an offset');
  return offset;
}
