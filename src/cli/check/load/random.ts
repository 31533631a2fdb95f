import { createHash } from 'node:crypto';

/** Chance that a seed decides: the same for the same seed, on every machine. Not for secrets. */
export class Random {
  readonly #seed: string;
  #drawn = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** In [0, 1). */
  next(): number {
    const digest = createHash('sha256')
      .update(`${this.#seed} ${this.#drawn++}`)
      .digest();
    return digest.readUInt32BE() / 2 ** 32;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** True so often, of 1. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** Throws where there is nothing to pick. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  /** Chance of its own for one that runs beside others: how much they draw changes nothing for it. */
  of(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }
}
