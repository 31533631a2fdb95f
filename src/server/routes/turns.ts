import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Refused } from '../../protocol/refused.js';
import { whenCut } from '../http/cut.js';
import { isGone } from '../http/response.js';
import { MAX_REQUESTS_AT_A_TIME } from '../http/secure-server.js';

const lines = new WeakMap<Socket, Line>();

/**
 * Resolves when it is a request's turn. On one connection requests may be sent one behind the other without waiting for
 * answers (pipelining), and Node takes them all: here the first ones are worked on, the others wait, and the connection
 * is not read meanwhile. Throws where it ends before. HTTP/2 has a bound of its own.
 */
export async function takeTurn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.httpVersionMajor > 1 || isGone(response)) return;
  const { socket } = request;
  const line = lines.get(socket) ?? new Line(socket);
  lines.set(socket, line);
  await line.turn((call) => {
    response.once('close', call);
    whenCut(request, response, call);
  });
}

/** The requests of one connection, in their order. */
class Line {
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `whenOver` calls back, once or more, when the request is done or will never be. */
  turn(whenOver: (call: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let state: 'waiting' | 'busy' | 'over' = 'waiting';
      const begin = () => {
        state = 'busy';
        this.#busy++;
        resolve();
      };
      whenOver(() => {
        if (state === 'waiting') this.#leave(begin);
        if (state === 'waiting') reject(new Refused('unavailable', 'the connection ended before its turn'));
        if (state === 'busy') this.#next();
        state = 'over';
      });
      if (this.#busy < MAX_REQUESTS_AT_A_TIME) begin();
      else this.#wait(begin);
    });
  }

  #wait(begin: () => void): void {
    if (this.#waiting.push(begin) > 1) return;
    this.#socket.pause();
    this.#socket.on('resume', this.#stay);
  }

  /** Node reads on for the body of each request that is worked on: those have come whole. */
  readonly #stay = () => {
    this.#socket.pause();
  };

  #next(): void {
    this.#busy--;
    const begin = this.#waiting[0];
    if (begin === undefined) return;
    this.#leave(begin);
    begin();
  }

  #leave(begin: () => void): void {
    this.#waiting.splice(this.#waiting.indexOf(begin), 1);
    if (this.#waiting.length > 0) return;
    this.#socket.off('resume', this.#stay);
    this.#socket.resume();
  }
}
