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

/** What has begun is ended, also where all faults are to end. */
const NEVER = new AbortController().signal;

type What = EventOf<'fault'>['what'];

type Noted = (what: What) => void;

/** What is done, and as what the history knows it. */
const FAULTS = {
  killNode: 'kill',
  pauseNode: 'stall',
  cutStore: 'cut',
  stallStore: 'stall',
  silence: 'cut', // of what the nodes hear alone
  killStore: 'restart',
  emptyStore: 'restart', // and a loss
} as const satisfies Readonly<Record<string, What>>;
type Fault = keyof typeof FAULTS;

/** What happens to nodes and what happens to the store goes on beside each other, so that it meets in every way. */
const BAGS: ReadonlyArray<readonly Fault[]> = [
  ['killNode', 'pauseNode'],
  ['cutStore', 'cutStore', 'stallStore', 'silence', 'silence', 'killStore', 'killStore', 'emptyStore'],
];
/** What was on its way when Redis ended has come by then, but from a node that is paused. */
const ON_ITS_WAY_MS = 500;
/** A node that finds no store ends, and is started again by whoever runs it. */
const STARTS = 10;

/** A node, and its own way to Redis. */
interface Node {
  readonly port: number;
  readonly way: TcpProxy;
  server: RunningServer;
}

export interface NodesOptions {
  readonly random: Random;
  /** Between the end of one fault and the next of its kind, in ms: at least, and at most. */
  readonly everyMs: readonly [number, number];
  /** The rule of the channels, but for who may. */
  readonly rule?: Readonly<Record<string, unknown>>;
  /** What whoever has a token may do on the channels; nobody else may do anything. */
  readonly authenticated: readonly string[];
}

interface Parts {
  readonly t: Teardown;
  readonly options: NodesOptions;
  readonly redis: RedisServer;
  readonly nodes: readonly [Node, Node];
  readonly front: TcpProxy;
  /** Nobody listens there. */
  readonly nowhere: number;
}

/**
 * Two nodes on one Redis that keeps all it accepts until it loses all, and what else may happen to them. It ends with
 * the test.
 */
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
    emptyStore: 0,
  };
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.url = `http://127.0.0.1:${parts.front.port}`;
  }

  static async start(t: Teardown, options: NodesOptions): Promise<NodesTrouble> {
    const redis = await redisServer(t, { config: ['appendonly yes', 'appendfsync always'] });
    const nodes = [await startNode(t, redis, options), await startNode(t, redis, options)] as const;
    const front = await tcpProxy(t, nodes[0].port);
    front.leadTo(nodes[0].port, nodes[1].port);
    return new NodesTrouble({ t, options, redis, nodes, front, nowhere: await freePort() });
  }

  /** Of the first node's process that runs just now. */
  get pid(): number {
    return this.#parts.nodes[0].server.child.pid ?? 0;
  }

  /** Goes on until the signal says so, and then everything is in order. */
  readonly make = async (noted: Noted, signal: AbortSignal): Promise<void> => {
    await Promise.all(BAGS.map((bag) => this.#goOn(bag, noted, signal)));
    this.#parts.front.cut();
  };

  /** One of these after the other, in an order that is chance. */
  async #goOn(all: readonly Fault[], noted: Noted, signal: AbortSignal): Promise<void> {
    const { random, everyMs } = this.#parts.options;
    let bag: Fault[] = [];
    while (!signal.aborted) {
      await pause(random.between(...everyMs), signal);
      if (signal.aborted) return;
      if (bag.length === 0) bag = [...all];
      for (const fault of bag.splice(random.between(0, bag.length - 1), 1)) {
        this.counts[fault]++;
        noted(FAULTS[fault]);
        await this.#do(fault, noted, signal);
      }
    }
  }

  async #do(fault: Fault, noted: Noted, signal: AbortSignal): Promise<void> {
    const { nodes, redis, options } = this.#parts;
    const { random } = options;
    const node = random.pick(nodes);
    if (fault === 'killNode') await this.#killNode(node, signal);
    else if (fault === 'pauseNode') await pauseNode(node, random.between(1000, 6000), signal);
    else if (fault === 'cutStore') await this.#cutStore(node, signal);
    else if (fault === 'stallStore') {
      node.way.stall();
      await pause(random.between(1000, 5000), signal);
      node.way.cut();
    } else if (fault === 'silence') await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    else if (fault === 'killStore') {
      await redis.kill();
      await pause(random.between(0, 2000), signal);
      await redis.start();
    } else {
      await redis.kill();
      await pause(ON_ITS_WAY_MS, NEVER);
      noted('loss');
      await redis.startEmpty();
    }
  }

  /** It ends as it is, and another starts in its place. */
  async #killNode(node: Node, signal: AbortSignal): Promise<void> {
    const { t, options } = this.#parts;
    await node.server.stop('SIGKILL');
    await pause(options.random.between(0, 1000), signal);
    for (let start = 1; ; start++) {
      try {
        node.server = await serve(t, node, options);
        return;
      } catch (error) {
        if (start === STARTS) throw error;
      }
    }
  }

  async #cutStore({ way }: Node, signal: AbortSignal): Promise<void> {
    const { options, redis, nowhere } = this.#parts;
    way.leadTo(nowhere);
    way.cut();
    await pause(options.random.between(1000, 5000), signal);
    way.leadTo(redis.port);
  }
}

async function pauseNode({ server }: Node, forMs: number, signal: AbortSignal): Promise<void> {
  server.child.kill('SIGSTOP');
  try {
    await pause(forMs, signal);
  } finally {
    server.child.kill('SIGCONT');
  }
}

async function startNode(t: Teardown, redis: RedisServer, options: NodesOptions): Promise<Node> {
  const [way, port] = [await tcpProxy(t, redis.port), await freePort()];
  return { port, way, server: await serve(t, { port, way }, options) };
}

function serve(
  t: Teardown,
  { port, way }: Pick<Node, 'port' | 'way'>,
  { authenticated, rule }: NodesOptions,
): Promise<RunningServer> {
  return startServer(t, {
    command: ['serve', '--port', String(port), '--store', `redis://127.0.0.1:${way.port}`],
    env: {
      EARSHOT_DATA: undefined,
      EARSHOT_CHECK_SEED: undefined, // no setting of a server
      EARSHOT_TOKEN_SECRET: SECRET,
      EARSHOT_ANONYMOUS: 'true',
      EARSHOT_CHANNELS: JSON.stringify({ 'check/**': { ...rule, authenticated, anonymous: [] } }),
      LOG_LEVEL: 'info',
    },
  });
}
