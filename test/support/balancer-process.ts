import { once } from 'node:events';
import { get } from 'node:http';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Answer, Asked } from './balancer.js';

// A balancer in a process of its own, so that what it sees of the time is not how busy a test is.

const PROBE_EVERY_MS = 100;
const PROBE_WITHIN_MS = 2000;

/** One more port to connect to, and when each connection came there. */
interface Door {
  readonly port: number;
  readonly arrivalsMs: number[];
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

  join(client: Socket): void {
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

const nodes = new Map<number, Node>();
const doors = new Map<number, Door>();

function admit(client: Socket): void {
  const [node] = [...nodes.values()].filter(({ isReady }) => isReady).sort((a, b) => a.open - b.open);
  if (node === undefined) client.resetAndDestroy();
  else node.join(client);
}

async function openDoor(): Promise<number> {
  const arrivalsMs: number[] = [];
  const server: Server = createServer({ noDelay: true }, (client) => {
    arrivalsMs.push(performance.now());
    admit(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  doors.set(address.port, { port: address.port, arrivalsMs });
  return address.port;
}

async function answer({ ask, port }: Asked): Promise<Answer['value']> {
  if (ask === 'door') return openDoor();
  if (ask === 'arrivals') return doors.get(port)?.arrivalsMs ?? [];
  nodes.get(port)?.forget();
  nodes.delete(port);
  if (ask === 'remove') return [];
  const node = new Node(port);
  nodes.set(port, node);
  await node.ready;
  return [];
}

process.on('message', (asked: Asked) => {
  void answer(asked).then((value) => process.send?.({ id: asked.id, value } satisfies Answer));
});
process.once('disconnect', () => process.exit());
