import type { StoredMessage } from '../message.js';

/** What retention asks of a message. */
export interface Mark {
  readonly at: number;
  /** How many bytes the log had been given before it. */
  readonly bytesBefore: number;
}

/** The messages of one log, by their numbers, without a hole. Which of them are kept is not theirs to know. */
export interface Entries {
  /** Adds the next one. */
  push(message: StoredMessage, bytesBefore: number): void;
  /** Of one that is kept. */
  mark(seq: number): Mark;
  /** The kept ones from the one after `seq` on; only as many as are taken are looked up. */
  after(seq: number): Iterable<StoredMessage>;
  /** Lets go of all up to and with this one. */
  drop(seq: number): void;
  /** In a log of nothing: what another one has after `fromSeq`, up to and with `toSeq`, with the same numbers. */
  adopt(source: Entries, fromSeq: number, toSeq: number): void;
}
