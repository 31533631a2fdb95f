import type { Position } from '../../protocol/offset.js';

/** Positions that were given out in one life of a log, up to and with `end`. */
export interface Stretch {
  readonly epoch: string;
  readonly end: number;
}

/**
 * How the positions of a log are told: with its own epoch, but for those that a fork took over, which keep the epochs
 * that they have in the source. A place there is the same place in both. (With the fork's own epoch it is understood
 * as well: inside, a position is a life and a number.)
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

  /** True where the log has, or had, positions of this epoch. */
  knows(epoch: string): boolean {
    return epoch === this.own || this.#inherited.some((stretch) => stretch.epoch === epoch);
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
}
