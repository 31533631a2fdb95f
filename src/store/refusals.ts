import { Refused } from '../protocol/refused.js';

/** A producer's epoch is over: a later one has taken its place. */
export class Fenced extends Refused {
  /** The one that counts now. */
  readonly epoch: number;

  constructor(epoch: number) {
    super('fenced', `epoch ${epoch} of this producer has taken over`);
    this.epoch = epoch;
  }
}

/** A producer's number is not the next one. */
export class OutOfSequence extends Refused {
  readonly expected: number;
  readonly received: number;
  /** True where the producer is known, and this would have been the first of a later epoch: those begin at 0. */
  readonly beginsEpoch: boolean;

  constructor(expected: number, received: number, beginsEpoch: boolean) {
    super('out_of_sequence', `expected seq ${expected}, got ${received}`);
    this.expected = expected;
    this.received = received;
    this.beginsEpoch = beginsEpoch;
  }
}

/** The log takes no more. */
export class Closed extends Refused {
  /** Where it ends. */
  readonly offset: string;

  constructor(offset: string) {
    super('closed', 'the channel is closed');
    this.offset = offset;
  }
}
