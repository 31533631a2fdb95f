import { MAX_SLICE_BYTES, MAX_SLICE_MESSAGES } from '../limits.js';

/**
 * Large bodies are worked on in slices, one slice in a turn of the event loop, whoever sent them: others are served in
 * between, and of two large bodies neither waits for the whole of the other.
 */
export class Slices {
  readonly #defer: (run: () => void) => void;
  readonly #waiting: (() => void)[] = [];

  constructor(defer: (run: () => void) => void) {
    this.#defer = defer;
  }

  /** To be called for each body. */
  pace(): Pace {
    return new Pace(this);
  }

  /** Resolves in a turn that no other slice has. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#defer(() => this.#turn());
    });
  }

  #turn(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#defer(() => this.#turn());
  }
}

/** How far the work on one body has come in its slice. */
export class Pace {
  readonly #slices: Slices;
  #messages = 0;
  #bytes = 0;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** After work on a message: undefined, or where that was a slice of it what resolves when it is the next one's turn. */
  worked(bytes: number): Promise<void> | undefined {
    this.#messages++;
    this.#bytes += bytes;
    if (this.#messages < MAX_SLICE_MESSAGES && this.#bytes < MAX_SLICE_BYTES) return undefined;
    this.#messages = 0;
    this.#bytes = 0;
    return this.#slices.next();
  }
}
