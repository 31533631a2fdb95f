/** How fine the time is: what is due comes up to so much later. */
const STEP_MS = 50;

/**
 * What waits for its time: no timer for each, but a place in the slice of time that it falls into, and one alarm for
 * the earliest of them.
 */
export class Deadlines<Item> {
  readonly #slices = new Map<number, Set<Item>>();
  readonly #alarm: (atMs: number) => void;

  /** `alarm` asks for a call of `due` at that time, and holds for the earliest that was asked for. */
  constructor(alarm: (atMs: number) => void) {
    this.#alarm = alarm;
  }

  /** Gives the way to take it back. */
  add(atMs: number, item: Item): () => void {
    const at = Math.ceil(atMs / STEP_MS);
    const slice = this.#slices.get(at) ?? new Set();
    this.#slices.set(at, slice.add(item));
    this.#alarm(at * STEP_MS);
    return () => {
      slice.delete(item);
      if (slice.size === 0 && this.#slices.get(at) === slice) this.#slices.delete(at);
    };
  }

  /** Those whose time has come; asks for the next alarm. */
  due(nowMs: number): Item[] {
    const found: Item[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [at, slice] of this.#slices) {
      if (at * STEP_MS > nowMs) next = Math.min(next, at);
      else {
        this.#slices.delete(at);
        found.push(...slice);
      }
    }
    if (next !== Number.POSITIVE_INFINITY) this.#alarm(next * STEP_MS);
    return found;
  }
}
