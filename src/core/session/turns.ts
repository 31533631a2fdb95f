/** Counts the turns of the event loop in which somebody asks, with one deferred call for all who do. */
export class Turns {
  readonly #defer: (run: () => void) => void;
  #number = 0;
  #isEnding = false;

  /** `defer` runs something at the end of this turn. */
  constructor(defer: (run: () => void) => void) {
    this.#defer = defer;
  }

  /** Of this turn: the same until it ends, another one after. */
  get number(): number {
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.#defer(this.#next);
    }
    return this.#number;
  }

  readonly #next = (): void => {
    this.#isEnding = false;
    this.#number++;
  };
}
