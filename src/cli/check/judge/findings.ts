/** What is promised, as far as a history can show it, and what a reader of the verdict is told of it. */
export const PROMISES = {
  phantom: 'what is delivered was published, unaltered',
  order: 'every reader sees one order, that of publishing',
  gap: 'no message is missing that nobody told of',
  duplicate: 'nobody gets a message twice',
  kept: 'what was accepted is in the log',
  once: 'what is published again after a failure is stored once',
  permission: 'who may not read or publish, can not',
  convergence: 'every reader comes to the end',
} as const;
export type PromiseName = keyof typeof PROMISES;
export const PROMISE_NAMES = [
  'phantom',
  'order',
  'gap',
  'duplicate',
  'kept',
  'once',
  'permission',
  'convergence',
] as const satisfies readonly PromiseName[];

/** A promise that was broken, and the lines of the history that show it. */
export interface Violation {
  readonly promise: PromiseName;
  readonly what: string;
  readonly lines: readonly number[];
}

export interface PromiseVerdict {
  readonly status: 'kept' | 'broken' | 'not checked';
  /** How often it was looked at. */
  readonly checked: number;
  readonly violations: number;
}

/** What is to be said of a history. */
export interface Verdict {
  /** True where the history is whole and everything in it is as promised. */
  readonly clean: boolean;
  /** What is wrong with the history itself: then nothing can be said. */
  readonly faults: readonly string[];
  readonly promises: Readonly<Record<PromiseName, PromiseVerdict>>;
  /** The first of each promise. */
  readonly violations: readonly Violation[];
}

const MAX_TOLD = 50;

/** Collects what is found. Of what is found again and again, only the first are kept, and the number. */
export class Findings {
  readonly #faults: string[] = [];
  #faultCount = 0;
  readonly #violations: Violation[] = [];
  readonly #broken = new Map<PromiseName, number>();
  readonly #checked = new Map<PromiseName, number>();

  /** Something is wrong with the history. */
  fault(line: number, what: string): void {
    this.#faultCount++;
    if (this.#faults.length < MAX_TOLD) this.#faults.push(`line ${line}: ${what}`);
  }

  broken(promise: PromiseName, what: string, ...lines: readonly (number | undefined)[]): void {
    const count = this.#broken.get(promise) ?? 0;
    this.#broken.set(promise, count + 1);
    if (count >= MAX_TOLD) return;
    this.#violations.push({ promise, what, lines: lines.filter((line) => line !== undefined) });
  }

  checked(promise: PromiseName, times = 1): void {
    this.#checked.set(promise, (this.#checked.get(promise) ?? 0) + times);
  }

  verdict(): Verdict {
    const promises = {
      phantom: this.#of('phantom'),
      order: this.#of('order'),
      gap: this.#of('gap'),
      duplicate: this.#of('duplicate'),
      kept: this.#of('kept'),
      once: this.#of('once'),
      permission: this.#of('permission'),
      convergence: this.#of('convergence'),
    };
    const isBroken = PROMISE_NAMES.some((name) => promises[name].status === 'broken');
    return {
      clean: this.#faultCount === 0 && !isBroken,
      faults: this.#faults,
      promises,
      violations: this.#violations,
    };
  }

  #of(promise: PromiseName): PromiseVerdict {
    const [violations, checked] = [this.#broken.get(promise) ?? 0, this.#checked.get(promise) ?? 0];
    if (violations > 0) return { status: 'broken', checked, violations };
    return { status: checked > 0 ? 'kept' : 'not checked', checked, violations };
  }
}
