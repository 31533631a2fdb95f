import type { Runner } from './runner.js';

/** Texts from every node of the service to all others, as a bus of nodes wants them: what can't be sent is lost. */
export class Broadcast {
  readonly #runner: Runner;
  readonly #topic: string;
  readonly #isThere: () => boolean;
  readonly #listeners = new Set<(text: string) => void>();

  constructor(runner: Runner, topic: string, isThere: () => boolean) {
    this.#runner = runner;
    this.#topic = topic;
    this.#isThere = isThere;
  }

  /** False while nothing can be heard: whoever is silent then need not be gone. */
  get isThere(): boolean {
    return this.#isThere();
  }

  publish(text: string): void {
    if (this.isThere) this.#runner.ask('spublish', this.#topic, text).catch(() => {}); // told by the runner
  }

  listen(hear: (text: string) => void): () => void {
    const own = (text: string) => hear(text);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  hear(text: string): void {
    for (const hear of [...this.#listeners]) hear(text);
  }
}
