/** What one reader has heard of one channel, and where it stands there. */
interface Heard {
  offset: string;
  /** The message that must come next; undefined where it is not known yet. */
  next: number | undefined;
  /** What comes first, where that is not known, is this one at the latest. */
  startsBy: number;
  /** It was told that something is missing, and nothing has come since. */
  gap: boolean;
}

export const START = '-1';

/**
 * One lineage of positions: the messages of its channels are numbers from 0 on, and whatever comes must be the next one,
 * unless it was told that some are missing. What is wrong is kept, as words.
 */
export class Lineage {
  readonly faults: string[] = [];
  gaps = 0;
  messages = 0;
  readonly #heard = new Map<string, Heard>();

  /** A channel that is followed from the beginning of what is kept; `whole` says that this is everything. */
  begins(channel: string, whole: boolean): void {
    const next = whole ? 0 : undefined;
    this.#heard.set(channel, { offset: START, next, startsBy: Number.POSITIVE_INFINITY, gap: false });
  }

  /** A channel that is followed from a moment on at which this many messages had been sent. */
  beginsLate(channel: string, sent: number): void {
    this.#heard.set(channel, { offset: START, next: undefined, startsBy: sent, gap: false });
  }

  offset(channel: string): string {
    return this.#of(channel).offset;
  }

  /** True where nothing of the messages before this one is to come any more. */
  hasAllBefore(channel: string, sent: number): boolean {
    const { next, startsBy } = this.#of(channel);
    return next === undefined ? startsBy === sent || sent === 0 : next === sent;
  }

  /** Messages in their order, and the position after the last of them. */
  takes(channel: string, numbers: readonly number[], offset: string): void {
    for (const number of numbers) this.#take(channel, number);
    this.moves(channel, offset);
  }

  /** It stands here now: never before where it stood. */
  moves(channel: string, offset: string): void {
    const heard = this.#of(channel);
    if (heard.offset !== START && offset < heard.offset)
      this.fault(channel, `goes back from ${heard.offset} to ${offset}`);
    heard.offset = offset;
  }

  /** It is told that something is missing, and stands here now. */
  misses(channel: string, offset: string): void {
    this.gaps++;
    const heard = this.#of(channel);
    heard.gap = true;
    heard.offset = offset;
  }

  fault(channel: string, what: string): void {
    this.faults.push(`${channel}: ${what}`);
  }

  #take(channel: string, number: number): void {
    const heard = this.#of(channel);
    const { next, gap, startsBy } = heard;
    this.messages++;
    if (next === undefined && !gap && number > startsBy)
      this.fault(channel, `${number} came first: ${startsBy} is missing, and nobody said so`);
    if (next !== undefined && number < next) this.fault(channel, `${number} came twice`);
    if (next !== undefined && number > next && !gap)
      this.fault(channel, `${number} came where ${next} is next, and nobody said so`);
    if (number === next && gap) this.fault(channel, `${number} was said to be missing`);
    heard.next = number + 1;
    heard.gap = false;
  }

  #of(channel: string): Heard {
    const heard = this.#heard.get(channel);
    if (heard === undefined) throw new Error(`${channel} is not followed`);
    return heard;
  }
}
