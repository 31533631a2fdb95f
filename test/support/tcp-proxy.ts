import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './spawn.js';

/** A hop between a client and a server, at which things go wrong when told. */
export interface TcpProxy {
  readonly port: number;
  /** Of this moment. */
  readonly connections: number;
  /** Resolves when a connection is open, at whatever stage. */
  connected(): Promise<void>;
  /** Resets every connection at both ends; how many there were. */
  cut(): number;
  /** Once so many more bytes have come from the server, and passed, the connection that they came on ends. */
  cutAfter(bytes: number): void;
  /** No byte passes any more, either way, on the connections of this moment; both ends stay open. */
  stall(): void;
  /** From now on every byte from the server takes so much longer; 0: as fast as it comes. */
  delay(ms: number): void;
  /** Where connections go from now on: to one after the other of these. */
  leadTo(...ports: readonly [number, ...number[]]): void;
}

/** A proxy on a free port of the loopback to another port of it. It ends with the test. */
export async function tcpProxy(t: Teardown, targetPort: number): Promise<TcpProxy> {
  let targets: readonly number[] = [targetPort];
  let turn = 0;
  const pairs = new Set<Pair>();
  const weather: Weather = { bytes: Number.POSITIVE_INFINITY, delayMs: 0 };
  const server = createServer({ noDelay: true }, (client) => {
    const port = targets[turn++ % targets.length] ?? targetPort;
    const pair = new Pair(client, connect({ port, host: '127.0.0.1', noDelay: true }), weather);
    pairs.add(pair);
    void pair.closed.then(() => pairs.delete(pair));
    server.emit('pair');
  });
  const cut = () => {
    const open = [...pairs];
    for (const pair of open) pair.reset();
    pairs.clear();
    return open.length;
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    port: address.port,
    cut,
    cutAfter(bytes) {
      weather.bytes = bytes;
    },
    delay(ms) {
      weather.delayMs = ms;
    },
    get connections() {
      return pairs.size;
    },
    async connected() {
      if (pairs.size === 0) await once(server, 'pair');
    },
    stall() {
      for (const pair of pairs) pair.stall();
    },
    leadTo(...ports) {
      targets = ports;
    },
  };
}

/** What holds for all connections. */
interface Weather {
  /** How many more may come from the server. */
  bytes: number;
  delayMs: number;
}

/** Both sides of one connection. */
class Pair {
  readonly closed: Promise<void>;
  readonly #sides: readonly [Socket, Socket];
  readonly #weather: Weather;
  #stalled = false;

  constructor(client: Socket, server: Socket, weather: Weather) {
    this.#sides = [client, server];
    this.#weather = weather;
    this.#join(client, server, (bytes) => pass(server, client, bytes));
    this.#join(server, client, (bytes) => this.#toClient(bytes));
    this.closed = new Promise((resolve) => {
      for (const side of this.#sides) side.once('close', () => resolve());
    });
  }

  reset(): void {
    for (const side of this.#sides) side.resetAndDestroy();
  }

  stall(): void {
    this.#stalled = true;
    for (const side of this.#sides) side.pause();
  }

  #toClient(bytes: Buffer): void {
    const [client, server] = this.#sides;
    const { delayMs } = this.#weather;
    if (delayMs === 0) {
      pass(client, server, this.#allowed(bytes));
      return;
    }
    server.pause(); // what comes meanwhile waits behind it
    setTimeout(() => {
      if (client.destroyed || this.#stalled) return;
      server.resume();
      pass(client, server, this.#allowed(bytes));
    }, delayMs);
  }

  /** What of it may pass. With the last of it the connection ends, wherever in a message that is. */
  #allowed(bytes: Buffer): Buffer {
    const allowed = bytes.subarray(0, this.#weather.bytes);
    this.#weather.bytes -= allowed.length;
    if (this.#weather.bytes > 0) return allowed;
    this.#weather.bytes = Number.POSITIVE_INFINITY;
    const [client, server] = this.#sides;
    client.end(allowed);
    server.destroy();
    return Buffer.alloc(0);
  }

  #join(from: Socket, to: Socket, take: (bytes: Buffer) => void): void {
    from.on('error', () => {}); // the close that follows is what counts
    from.on('data', take);
    to.on('drain', () => {
      if (!this.#stalled) from.resume();
    });
    from.on('end', () => to.end());
    from.on('close', () => to.destroy());
  }
}

function pass(to: Socket, from: Socket, bytes: Buffer): void {
  if (bytes.length > 0 && !to.write(bytes)) from.pause();
}
