import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Ration, Turns } from '../../core/session/turns.js';
import { Refused } from '../../protocol/refused.js';
import { whenCut } from '../http/cut.js';
import { isGone } from '../http/response.js';
import { MAX_REQUESTS_AT_A_TIME } from '../http/secure-server.js';

/** Requests of one connection that begin in one turn of the event loop: then it is the others' turn. */
const MAX_BEGUN_A_TURN = 16;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const lines = new WeakMap<Socket, Line>();
const turns = new Turns(setImmediate);

/**
 * Resolves when it is a request's turn; undefined where it is at once. On one connection requests may be sent one behind the other without waiting for
 * answers (pipelining), and Node takes them all: here the first ones are worked on, the others wait, and the connection
 * is not read meanwhile. Of those that change something one is worked on at a time, so that they keep their order (RFC 9112
 * §9.3.2). Throws where the connection ends before. HTTP/2 has a bound of its own, and no order.
 */
export function takeTurn(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
  if (request.httpVersionMajor > 1 || isGone(response)) return undefined;
  const { socket, method = '' } = request;
  const line = lines.get(socket) ?? new Line(socket);
  lines.set(socket, line);
  return line.turn(SAFE_METHODS.has(method), (call) => {
    response.once('close', call);
    whenCut(request, response, call);
  });
}

interface Waiting {
  readonly isSafe: boolean;
  begin(): void;
}

/** The requests of one connection, in their order. */
class Line {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #busy = 0;
  readonly #ration = new Ration(MAX_BEGUN_A_TURN);
  /** One that is not safe is worked on. */
  #isChanging = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `whenOver` calls back, once or more, when the request is done or will never be. */
  turn(isSafe: boolean, whenOver: (call: () => void) => void): Promise<void> | undefined {
    if (this.#waiting.length > 0 || !this.#mayBegin(isSafe)) return this.#later(isSafe, whenOver);
    this.#began(isSafe);
    let isOver = false;
    whenOver(() => {
      if (!isOver) this.#end(isSafe);
      isOver = true;
    });
    return undefined;
  }

  #later(isSafe: boolean, whenOver: (call: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let state: 'waiting' | 'busy' | 'over' = 'waiting';
      const waiting: Waiting = {
        isSafe,
        begin: () => {
          state = 'busy';
          this.#began(isSafe);
          resolve();
        },
      };
      whenOver(() => {
        if (state === 'waiting') this.#leave(waiting);
        if (state === 'waiting') reject(new Refused('unavailable', 'the connection ended before its turn'));
        if (state === 'busy') this.#end(isSafe);
        state = 'over';
      });
      this.#wait(waiting);
    });
  }

  #mayBegin(isSafe: boolean): boolean {
    const hasRoom = this.#busy < MAX_REQUESTS_AT_A_TIME && !this.#ration.isUsedUp;
    return hasRoom && (isSafe || !this.#isChanging);
  }

  #began(isSafe: boolean): void {
    this.#busy++;
    if (!isSafe) this.#isChanging = true;
    if (this.#ration.take(turns.number)) setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#ration.renew();
    this.#pump();
  }

  #wait(waiting: Waiting): void {
    if (this.#waiting.push(waiting) > 1) return;
    this.#socket.pause();
    this.#socket.on('resume', this.#stay);
  }

  /** Node reads on for the body of each request that is worked on: those have come whole. */
  readonly #stay = () => {
    this.#socket.pause();
  };

  #end(isSafe: boolean): void {
    this.#busy--;
    if (!isSafe) this.#isChanging = false;
    this.#pump();
  }

  /** Begins what may begin. */
  #pump(): void {
    if (this.#socket.destroyed) return; // those that wait are told so
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#mayBegin(next.isSafe);
      next = this.#waiting[0]
    ) {
      this.#leave(next);
      next.begin();
    }
  }

  #leave(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    if (this.#waiting.length > 0) return;
    this.#socket.off('resume', this.#stay);
    this.#socket.resume();
  }
}
