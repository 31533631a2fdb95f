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

/** So much may be begun in one turn of the event loop: then it is the others' turn. */
export class Ration {
  readonly #most: number;
  #turn = -1;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get isUsedUp(): boolean {
    return this.#taken >= this.#most;
  }

  /** One more in this turn. True where that was the last one: whoever takes it renews the ration when the turn is over. */
  take(turn: number): boolean {
    if (turn !== this.#turn) this.#taken = 0;
    this.#turn = turn;
    this.#taken++;
    return this.isUsedUp;
  }

  renew(): void {
    this.#taken = 0;
  }
}
