import type { EventOf } from '../../src/cli/check/history/events.js';
import type { Random } from '../../src/cli/check/load/random.js';
import { pause } from '../../src/cli/client/pause.js';
import type { RedisServer } from '../support/redis.js';
import { redisServer } from '../support/redis.js';
import type { RunningServer, Teardown } from '../support/spawn.js';
import { freePort, startServer } from '../support/spawn.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { SECRET } from './live.js';

type What = EventOf<'fault'>['what'];

/** What is done, and as what the history knows it. */
const FAULTS = {
  killNode: 'kill',
  pauseNode: 'stall',
  cutStore: 'cut',
  stallStore: 'stall',
  silence: 'cut', // of what the nodes hear alone
  killStore: 'restart',
} as const satisfies Readonly<Record<string, What>>;
type Fault = keyof typeof FAULTS;

/** A node, and its own way to Redis. */
interface Node {
  readonly port: number;
  readonly way: TcpProxy;
  server: RunningServer;
}

interface Parts {
  readonly t: Teardown;
  readonly random: Random;
  readonly everyMs: readonly [number, number];
  readonly redis: RedisServer;
  readonly nodes: readonly [Node, Node];
  readonly front: TcpProxy;
  /** Nobody listens there. */
  readonly nowhere: number;
}

/** Two nodes on one Redis that keeps all it accepts, and all that may happen to them. It ends with the test. */
export class NodesTrouble {
  readonly url: string;
  /** How often each was done. */
  readonly counts: Record<Fault, number> = {
    killNode: 0,
    pauseNode: 0,
    cutStore: 0,
    stallStore: 0,
    silence: 0,
    killStore: 0,
  };
  readonly #parts: Parts;
  #bag: Fault[] = [];

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.url = `http://127.0.0.1:${parts.front.port}`;
  }

  /** `everyMs`: between the end of one fault and the next, at least and at most. */
  static async start(t: Teardown, random: Random, everyMs: readonly [number, number]): Promise<NodesTrouble> {
    const redis = await redisServer(t, { config: ['appendonly yes', 'appendfsync always'] });
    const nodes = [await startNode(t, redis), await startNode(t, redis)] as const;
    const front = await tcpProxy(t, nodes[0].port);
    front.leadTo(nodes[0].port, nodes[1].port);
    return new NodesTrouble({ t, random, everyMs, redis, nodes, front, nowhere: await freePort() });
  }

  /** Of the first node's process that runs just now. */
  get pid(): number {
    return this.#parts.nodes[0].server.child.pid ?? 0;
  }

  /** Goes on until the signal says so, and then everything is in order. */
  readonly make = async (noted: (what: What) => void, signal: AbortSignal): Promise<void> => {
    const { random, everyMs, front } = this.#parts;
    while (!signal.aborted) {
      await pause(random.between(...everyMs), signal);
      if (signal.aborted) break;
      const fault = this.#draw();
      this.counts[fault]++;
      noted(FAULTS[fault]);
      await this.#do(fault, signal);
    }
    front.cut();
  };

  /** One after the other, in an order that is chance. */
  #draw(): Fault {
    if (this.#bag.length === 0) this.#bag = Object.keys(FAULTS).filter(isFault);
    const [fault = 'killNode'] = this.#bag.splice(this.#parts.random.between(0, this.#bag.length - 1), 1);
    return fault;
  }

  async #do(fault: Fault, signal: AbortSignal): Promise<void> {
    const { random, nodes, redis } = this.#parts;
    const node = random.pick(nodes);
    if (fault === 'killNode') await this.#killNode(node, signal);
    else if (fault === 'pauseNode') await pauseNode(node, random.between(1000, 6000), signal);
    else if (fault === 'cutStore') await this.#cutStore(node, signal);
    else if (fault === 'stallStore') {
      node.way.stall();
      await pause(random.between(1000, 5000), signal);
      node.way.cut();
    } else if (fault === 'silence') await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    else {
      await redis.kill();
      await pause(random.between(0, 2000), signal);
      await redis.start();
    }
  }

  /** It ends as it is, and another starts in its place. */
  async #killNode(node: Node, signal: AbortSignal): Promise<void> {
    const { t, random } = this.#parts;
    await node.server.stop('SIGKILL');
    await pause(random.between(0, 1000), signal);
    node.server = await serve(t, node.port, node.way);
  }

  async #cutStore({ way }: Node, signal: AbortSignal): Promise<void> {
    const { random, redis, nowhere } = this.#parts;
    way.leadTo(nowhere);
    way.cut();
    await pause(random.between(1000, 5000), signal);
    way.leadTo(redis.port);
  }
}

function isFault(name: string): name is Fault {
  return name in FAULTS;
}

async function pauseNode({ server }: Node, forMs: number, signal: AbortSignal): Promise<void> {
  server.child.kill('SIGSTOP');
  try {
    await pause(forMs, signal);
  } finally {
    server.child.kill('SIGCONT');
  }
}

async function startNode(t: Teardown, redis: RedisServer): Promise<Node> {
  const [way, port] = [await tcpProxy(t, redis.port), await freePort()];
  return { port, way, server: await serve(t, port, way) };
}

function serve(t: Teardown, port: number, way: TcpProxy): Promise<RunningServer> {
  return startServer(t, {
    command: ['serve', '--port', String(port), '--store', `redis://127.0.0.1:${way.port}`],
    env: {
      EARSHOT_DATA: undefined,
      EARSHOT_CHECK_SEED: undefined, // no setting of a server
      EARSHOT_TOKEN_SECRET: SECRET,
      EARSHOT_ANONYMOUS: 'true',
      EARSHOT_CHANNELS: JSON.stringify({
        'check/**': { authenticated: ['subscribe', 'publish', 'history', 'manage'], anonymous: [] },
      }),
      LOG_LEVEL: 'info',
    },
  });
}
