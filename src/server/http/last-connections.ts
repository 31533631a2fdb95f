import type { Server } from 'node:http';

const LOOKED_AT_EVERY_MS = 50;

/**
 * Lets a server that closes come to an end. Node waits for every connection, also for one that has never sent a
 * byte, or only half a request: those are cut as soon as no request is being answered, and all of them after
 * `timeoutMs`.
 */
export class LastConnections {
  readonly #server: Server;
  readonly #count = (
    _request: unknown,
    response: { once(event: 'close', listener: () => void): unknown },
  ) => {
    this.#answering++;
    response.once('close', () => this.#answering--);
  };
  #answering = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server) {
    this.#server = server;
    server.on('request', this.#count);
  }

  /** From now on; to be called when the server is about to close. */
  letGo(timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    this.#timer ??= setInterval(() => {
      if (this.#answering === 0 || performance.now() >= deadline) this.#server.closeAllConnections();
    }, LOOKED_AT_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server.off('request', this.#count);
  }
}
