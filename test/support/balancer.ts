import { once } from 'node:events';
import { get } from 'node:http';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Teardown } from './spawn.js';

/** Where clients connect to. */
export interface Door {
  readonly port: number;
  /** When each connection came, by `performance.now()`. */
  readonly arrivalsMs: number[];
}

/** What stands before several nodes: it asks each whether it is ready, and brings who comes to one that is. */
export interface Balancer {
  /** One more port to connect to: what comes there is counted by itself. */
  door(): Promise<Door>;
  /** Takes a node on. Resolves when it was found ready for the first time. */
  add(port: number): Promise<void>;
  /** Asks it no more. Connections that are open stay. */
  remove(port: number): void;
}

const PROBE_EVERY_MS = 100;
const PROBE_WITHIN_MS = 2000;

/**
 * On the loopback, for TCP: of the nodes that are ready, the one with the fewest connections gets the next. Who comes when
 * there is none is cut. It ends with the test.
 */
export function balancer(t: Teardown): Balancer {
  const nodes = new Map<number, Node>();
  const open = new Set<Socket>();
  const servers: Server[] = [];
  t.teardown(() => {
    for (const node of nodes.values()) node.forget();
    for (const server of servers) server.close();
    for (const socket of open) socket.destroy();
  });
  const admit = (client: Socket) => {
    const [node] = [...nodes.values()].filter(({ isReady }) => isReady).sort((a, b) => a.open - b.open);
    if (node === undefined) client.resetAndDestroy();
    else for (const side of node.join(client)) keep(open, side);
  };
  return {
    async door() {
      const arrivalsMs: number[] = [];
      const server = createServer({ noDelay: true }, (client) => {
        arrivalsMs.push(performance.now());
        admit(client);
      });
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
      return { port: address.port, arrivalsMs };
    },
    async add(port) {
      const node = new Node(port);
      nodes.set(port, node);
      await node.ready;
    },
    remove(port) {
      nodes.get(port)?.forget();
      nodes.delete(port);
    },
  };
}

function keep(open: Set<Socket>, socket: Socket): void {
  open.add(socket);
  socket.once('close', () => open.delete(socket));
}

class Node {
  readonly ready: Promise<void>;
  isReady = false;
  /** Connections of this moment. */
  open = 0;
  readonly #port: number;
  #timer: NodeJS.Timeout | undefined;
  #isForgotten = false;

  constructor(port: number) {
    this.#port = port;
    this.ready = new Promise((resolve) => this.#probe(resolve));
  }

  forget(): void {
    this.#isForgotten = true;
    clearTimeout(this.#timer);
  }

  /** Both sides of the new connection. */
  join(client: Socket): readonly [Socket, Socket] {
    const server = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.open++;
    server.once('close', () => this.open--);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => {}); // the close that follows is what counts
      from.on('close', () => to.destroySoon()); // what is under way still arrives
      from.pipe(to);
    }
    return [client, server];
  }

  #probe(becameReady: () => void): void {
    const settle = (isReady: boolean) => {
      if (this.#isForgotten) return;
      this.isReady = isReady;
      if (isReady) becameReady();
      this.#timer = setTimeout(() => this.#probe(becameReady), PROBE_EVERY_MS);
    };
    const to = {
      host: '127.0.0.1',
      port: this.#port,
      path: '/readyz',
      agent: false,
      timeout: PROBE_WITHIN_MS,
    };
    const asked = get(to, (answer) => {
      answer.resume();
      settle(answer.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => settle(false));
  }
}
