import type { Server } from 'node:http';
import { Http2Sockets } from './http2-sockets.js';

const LOOKED_AT_EVERY_MS = 50;

/**
 * Lets a server that closes come to an end. Node waits for every connection, also for one that has never sent a
 * byte, or only half a request: those are cut as soon as no request is being answered, and all of them after
 * `timeoutMs`.
 */
export class LastConnections {
  readonly #server: Server;
  /** Where Node does not do it: HTTP/2, whatever the type says. */
  readonly #sockets: Http2Sockets | undefined;
  readonly #count = (
    _request: unknown,
    response: { once(event: 'close', listener: () => void): unknown },
  ) => {
    this.#answering++;
    response.once('close', () => {
      this.#answering--;
      this.#quietSince = performance.now();
    });
  };
  #answering = 0;
  #quietSince = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server) {
    this.#server = server;
    this.#sockets = 'closeAllConnections' in server ? undefined : new Http2Sockets(server);
    server.on('request', this.#count);
  }

  /** From now on; to be called when the server is about to close. */
  letGo(timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    this.#quietSince = performance.now();
    this.#sockets?.leave();
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      if (now >= deadline) this.#cut(Number.POSITIVE_INFINITY);
      else if (this.#answering === 0) this.#cut(now - this.#quietSince);
    }, LOOKED_AT_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server.off('request', this.#count);
    this.#sockets?.stop();
  }

  #cut(quietMs: number): void {
    if (this.#sockets === undefined) this.#server.closeAllConnections();
    else this.#sockets.cut(quietMs);
  }
}
