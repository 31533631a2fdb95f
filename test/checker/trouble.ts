import type { EventOf } from '../../src/cli/check/history/events.js';
import type { Random } from '../../src/cli/check/load/random.js';
import { pause } from '../../src/cli/client/pause.js';
import type { RunningServer, Teardown } from '../support/spawn.js';
import { dataFolder, freePort, startServer } from '../support/spawn.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { childrenOf } from '../support/workers.js';
import { SECRET } from './live.js';

type What = EventOf<'fault'>['what'];
type Fault = Exclude<What, 'slow' | 'loss'>;
type Noted = (what: What) => void;

/** `cut`: of all connections, or of one amid bytes; `stall`: nothing passes for a while, and then they are cut. */
const BAG: readonly Fault[] = ['kill', 'kill', 'kill', 'restart', 'cut', 'cut', 'stall', 'delay'];

export interface TroubleOptions {
  /** What whoever has a token may do on the channels; nobody else may do anything. */
  readonly authenticated: readonly string[];
  readonly random: Random;
  /** Between the end of one fault and the next, in ms: at least, and at most. */
  readonly everyMs: readonly [number, number];
  /** For so long the server is killed and restarted as well; after that it lives on. */
  readonly killsForMs: number;
  /** With more than one it is a worker that is killed and restarted, and never all of the server. Default 1. */
  readonly workers?: number;
}

/** A server with a durable store behind a proxy, and all that may happen to both. It ends with the test. */
export class Trouble {
  readonly url: string;
  /** How often each was done. */
  readonly counts: Record<Fault, number> = {
    kill: 0,
    restart: 0,
    cut: 0,
    stall: 0,
    delay: 0,
  };
  readonly #t: Teardown;
  readonly #options: TroubleOptions;
  readonly #data: string;
  readonly #proxy: TcpProxy;
  #server: RunningServer;
  #bag: Fault[] = [];

  private constructor(
    t: Teardown,
    options: TroubleOptions,
    {
      data,
      proxy,
      server,
    }: { readonly data: string; readonly proxy: TcpProxy; readonly server: RunningServer },
  ) {
    this.#t = t;
    this.#options = options;
    this.#data = data;
    this.#proxy = proxy;
    this.#server = server;
    this.url = `http://127.0.0.1:${proxy.port}`;
  }

  static async start(t: Teardown, options: TroubleOptions): Promise<Trouble> {
    const [data, port] = [dataFolder(t), await freePort()];
    const proxy = await tcpProxy(t, port);
    const server = await serve(t, { data, port, options });
    return new Trouble(t, options, { data, proxy, server });
  }

  /** Of the process that runs just now. */
  get pid(): number {
    return this.#server.child.pid ?? 0;
  }

  /** Goes on until the signal says so, and then puts everything in order. */
  readonly make = async (noted: Noted, signal: AbortSignal): Promise<void> => {
    const since = performance.now();
    const { random, everyMs, killsForMs } = this.#options;
    while (!signal.aborted) {
      await pause(random.between(...everyMs), signal);
      if (signal.aborted) break;
      const what = this.#draw(performance.now() - since < killsForMs);
      this.counts[what]++;
      noted(what);
      await this.#do(what, signal);
    }
    this.#proxy.delay(0);
    this.#proxy.cut();
  };

  /** One after the other, in an order that is chance. */
  #draw(mayKill: boolean): Fault {
    if (this.#bag.length === 0) this.#bag = [...BAG];
    const [what = 'cut'] = this.#bag.splice(this.#options.random.between(0, this.#bag.length - 1), 1);
    return mayKill || (what !== 'kill' && what !== 'restart') ? what : 'cut';
  }

  async #do(what: Fault, signal: AbortSignal): Promise<void> {
    const { random } = this.#options;
    if (what === 'kill') await this.#again('SIGKILL');
    else if (what === 'restart') await this.#again('SIGTERM');
    else if (what === 'stall') {
      this.#proxy.stall();
      await pause(random.between(100, 2000), signal);
      this.#proxy.cut();
    } else if (what === 'delay') {
      this.#proxy.delay(random.between(5, 150));
      await pause(random.between(500, 2000), signal);
      this.#proxy.delay(0);
    } else if (random.chance(0.5)) this.#proxy.cut();
    else this.#proxy.cutAfter(random.between(1, 4000));
  }

  /** It ends, and another starts on what it has kept. */
  async #again(signal: NodeJS.Signals): Promise<void> {
    const { port } = this.#server;
    const { workers = 1, random } = this.#options;
    if (workers > 1) {
      const pids = childrenOf(this.pid);
      const pid = pids[random.between(0, pids.length - 1)];
      if (pid !== undefined) process.kill(pid, signal);
      return;
    }
    await this.#server.stop(signal);
    this.#server = await serve(this.#t, { data: this.#data, port, options: this.#options });
  }
}

interface Serving {
  readonly data: string;
  readonly port: number;
  readonly options: TroubleOptions;
}

function serve(t: Teardown, { data, port, options }: Serving): Promise<RunningServer> {
  const { authenticated, workers = 1 } = options;
  return startServer(t, {
    command: ['serve', '--port', String(port), '--data', data, '--workers', String(workers)],
    env: {
      EARSHOT_CHECK_SEED: undefined, // no setting of a server
      EARSHOT_TOKEN_SECRET: SECRET,
      EARSHOT_ANONYMOUS: 'true',
      EARSHOT_CHANNELS: JSON.stringify({ 'check/**': { authenticated, anonymous: [] } }),
      LOG_LEVEL: 'info',
    },
  });
}
