/** For each event the arguments that its listeners get. */
export type EventMap<E> = { [K in keyof E]: readonly unknown[] };

/** A small typed emitter. What a listener throws is its own: it reaches neither the others nor the client. */
export class Emitter<E extends EventMap<E>> {
  readonly #listeners: { [K in keyof E]?: Set<(...args: E[K]) => void> } = {};

  /** Adds a listener; the function that comes back removes it. */
  on<K extends keyof E>(event: K, listener: (...args: E[K]) => void): () => void {
    const listeners = this.#listeners[event] ?? new Set();
    this.#listeners[event] = listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<K extends keyof E>(event: K, ...args: E[K]): void {
    for (const listener of [...(this.#listeners[event] ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
