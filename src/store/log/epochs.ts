import type { Position } from '../../protocol/offset.js';

/** Positions that were given out in one life of a log, up to and with `end`. */
export interface Stretch {
  readonly epoch: string;
  readonly end: number;
  /** True: there may have been more, which the log has lost. */
  readonly torn?: boolean;
}

/** Of a log that is torn again and again. What is older is told as lost. */
const MAX_STRETCHES = 100;

/**
 * How the positions of a log are told: with its own epoch, but for those that came from elsewhere, which keep the
 * epochs that they had there: in the source of a fork, and in a log that was torn. A place there is the same place in
 * both. (With the own epoch it is understood as well: inside, a position is a life and a number.)
 */
export class Epochs {
  readonly own: string;
  readonly #inherited: readonly Stretch[];

  constructor(own: string, inherited: readonly Stretch[] = []) {
    this.own = own;
    this.#inherited = inherited;
  }

  /** Of the position after the `seq`-th message: that of the log in which it was appended. */
  at(seq: number): string {
    return this.#inherited.find(({ end }) => seq <= end)?.epoch ?? this.own;
  }

  /** Of a position that may have been one, and is none any more: up to where what its reader has is still there. */
  lostAfter({ epoch, seq }: Position): number | undefined {
    if (epoch === this.own) return undefined;
    const stretch = this.#inherited.find((each) => each.epoch === epoch);
    if (stretch === undefined) return 0;
    return stretch.torn === true && seq > stretch.end ? stretch.end : undefined;
  }

  /** True where it is, or was, a position of this log, which ends at `tailSeq`. */
  has({ epoch, seq }: Position, tailSeq: number): boolean {
    const stretch = this.#inherited.find((each) => each.epoch === epoch);
    return stretch === undefined ? epoch === this.own && seq <= tailSeq : seq <= stretch.end;
  }

  /** What a fork at the `seq`-th message takes over. */
  upTo(seq: number): Stretch[] {
    const all = [...this.#inherited, { epoch: this.own, end: Number.POSITIVE_INFINITY }];
    const last = all.findIndex(({ end }) => seq <= end);
    return all.slice(0, last + 1).map(({ epoch, end }) => ({ epoch, end: Math.min(end, seq) }));
  }

  /** What is left of a log that may have had more, of which `startSeq` to `tailSeq` is there. */
  torn(startSeq: number, tailSeq: number): Stretch[] {
    const kept = this.#inherited.filter(({ end }) => end >= startSeq).slice(1 - MAX_STRETCHES);
    return [...kept, { epoch: this.own, end: tailSeq, torn: true }];
  }
}
