import type { ConnectionEvents } from './link/connection.js';

/** Who is told of what happens to the way to Redis. */
export interface Listeners {
  readonly onFault?: (error: Error) => void;
  readonly onRecovery?: () => void;
}

/** What happens on the connection, told on: the store is made after it. */
export class Heard implements ConnectionEvents {
  readonly #options: Listeners;
  #events: Pick<ConnectionEvents, 'message' | 'deaf'> | undefined;

  constructor(options: Listeners) {
    this.#options = options;
  }

  take(events: Pick<ConnectionEvents, 'message' | 'deaf'>): void {
    this.#events = events;
  }

  message(topic: string, message: Buffer): void {
    this.#events?.message(topic, message);
  }

  deaf(): void {
    this.#events?.deaf();
  }

  back(): void {
    this.#options.onRecovery?.();
  }

  /** Before the store is made, who makes it is told. */
  lost(error: Error): void {
    if (this.#events !== undefined) this.#options.onFault?.(error);
  }
}
