import type { Server } from 'node:http';
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { interceptEmit } from './intercept.js';

/** What was answered last may still be on its way when no request is open any more. */
const ON_ITS_WAY_MS = 500;

/**
 * The connections of a server of `node:http2`, which has no `closeAllConnections`: with a session or HTTP/1.1 on them,
 * or still without. What was upgraded is somebody else's to end.
 */
export class Http2Sockets {
  readonly #sessions = new Set<Http2Session>();
  readonly #sockets = new Set<Socket>();
  readonly #upgraded = new Set<string>();
  readonly #stop: () => void;

  constructor(server: Server) {
    const restore = interceptEmit(server, 'upgrade', ([, socket]) => {
      this.#noteUpgrade(socket as Socket); // as node:http documents the event
      return false;
    });
    server.on('session', this.#begin).on('connection', this.#open);
    this.#stop = () => {
      restore();
      server.off('session', this.#begin).off('connection', this.#open);
    };
  }

  /** Takes no more requests, and tells the peers (GOAWAY). Those that are open are answered. */
  leave(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Cuts what is left, when for `quietMs` no request was open. */
  cut(quietMs: number): void {
    if (quietMs < ON_ITS_WAY_MS) return;
    for (const socket of this.#sockets) if (!this.#upgraded.has(peerOf(socket))) socket.destroy();
  }

  stop(): void {
    this.#stop();
  }

  readonly #begin = (session: Http2Session): void => {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
  };

  readonly #open = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  /** It is another object than the one of the connection: TLS lies between them. */
  #noteUpgrade(socket: Socket): void {
    const peer = peerOf(socket);
    this.#upgraded.add(peer);
    socket.once('close', () => this.#upgraded.delete(peer));
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
