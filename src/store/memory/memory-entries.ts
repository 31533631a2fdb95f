import type { Entries, Mark } from '../log/entries.js';
import type { ProducerState, ProducerStates } from '../log/producers.js';
import type { StoredMessage } from '../message.js';

/** Messages in an array that is cut at its old end. */
export class MemoryEntries implements Entries {
  #messages: StoredMessage[] = [];
  /** Of each message: how many bytes the log had been given before it. */
  #bytesBefore: number[] = [];
  /** Where in the array the oldest kept message stands; what is before it is cut off in batches. */
  #head = 0;
  /** The number of the first in the array. */
  #firstSeq = 1;

  push(message: StoredMessage, bytesBefore: number): void {
    if (this.#messages.length === 0) this.#firstSeq = message.seq;
    this.#messages.push(message);
    this.#bytesBefore.push(bytesBefore);
  }

  mark(seq: number): Mark {
    const index = seq - this.#firstSeq;
    const message = this.#messages[index];
    const bytesBefore = this.#bytesBefore[index];
    if (message === undefined || bytesBefore === undefined) throw new Error(`there is no message ${seq}`);
    return { at: message.at, bytesBefore };
  }

  *after(seq: number): Iterable<StoredMessage> {
    for (let index = seq + 1 - this.#firstSeq; ; index++) {
      const message = this.#messages[index];
      if (message === undefined) return;
      yield message;
    }
  }

  drop(seq: number): void {
    this.#head = Math.min(seq + 1 - this.#firstSeq, this.#messages.length);
    if (this.#head * 2 <= this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#head);
    this.#bytesBefore = this.#bytesBefore.slice(this.#head);
    this.#firstSeq += this.#head;
    this.#head = 0;
  }

  adopt(source: Entries, fromSeq: number, toSeq: number): void {
    if (toSeq === fromSeq) return;
    for (const message of source.after(fromSeq)) {
      this.push(message, source.mark(message.seq).bytesBefore);
      if (message.seq === toSeq) return;
    }
  }
}

/** Producers in a map. */
export class MemoryProducers implements ProducerStates {
  readonly #states = new Map<string, ProducerState>();

  get(id: string): ProducerState | undefined {
    return this.#states.get(id);
  }

  set(id: string, state: ProducerState): void {
    this.#states.set(id, state);
  }

  delete(id: string): void {
    this.#states.delete(id);
  }

  all(): Iterable<readonly [string, ProducerState]> {
    return this.#states;
  }
}
