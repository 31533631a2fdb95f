import type { IncomingMessage, Server } from 'node:http';
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { interceptEmit } from './intercept.js';
import { answerSocket, problem } from './problem.js';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const routers = new WeakMap<Server, UpgradeRouter>();

/**
 * Takes the upgrades of one path before any other listener sees them: another plugin's would write its 404
 * into our socket, whoever was registered first. Returns the way to give them back.
 */
export function takeUpgrades(server: Server, path: string, handler: UpgradeHandler): () => void {
  const router = routers.get(server) ?? new UpgradeRouter(server);
  routers.set(server, router);
  router.add(path, handler);
  return () => {
    if (router.remove(path)) routers.delete(server);
  };
}

class UpgradeRouter {
  readonly #server: Server;
  readonly #handlers = new Map<string, UpgradeHandler>();
  readonly #restore: () => void;

  constructor(server: Server) {
    this.#server = server;
    this.#restore = interceptEmit(server, 'upgrade', (args) => this.#take(args));
    server.on('upgrade', this.#fallback);
  }

  add(path: string, handler: UpgradeHandler): void {
    if (this.#handlers.has(path)) throw new Error(`the path ${path} has a WebSocket on this server already`);
    this.#handlers.set(path, handler);
  }

  /** True where nothing is left to route. */
  remove(path: string): boolean {
    this.#handlers.delete(path);
    if (this.#handlers.size > 0) return false;
    this.#server.off('upgrade', this.#fallback);
    this.#restore();
    return true;
  }

  #take([request, socket, head]: readonly unknown[]): boolean {
    const upgrade = request as IncomingMessage; // the arguments of 'upgrade', as node:http documents them
    const handler = this.#handlers.get(pathOf(upgrade));
    if (handler === undefined) return false;
    handler(upgrade, socket as Duplex, head as Buffer);
    return true;
  }

  /** Paths that nobody owns are answered: left alone they would leak, and keep the server from closing. */
  readonly #fallback = (request: IncomingMessage, socket: Duplex): void => {
    if (this.#server.listenerCount('upgrade') > 1) return;
    socket.on('error', () => socket.destroy());
    if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      answerSocket(socket, problem('not_found', 'there is no WebSocket at this path'));
    } else {
      serveAsRequest(this.#server, request, socket);
    }
  };
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** Who offers an upgrade that nobody takes (`h2c`, say) asked for the page all the same (RFC 9110 §7.8). */
function serveAsRequest(server: Server, request: IncomingMessage, socket: Duplex): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // assignSocket is typed for net.Socket; what node:http hands to 'upgrade' is one.
  response.assignSocket(socket as Socket);
  response.once('finish', () => socket.end());
  server.emit('request', request, response);
}
