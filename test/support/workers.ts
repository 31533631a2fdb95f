import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { eventually, parseMetrics } from './app.js';
import type { Peer } from './peer.js';
import { peer } from './peer.js';
import type { RunningServer, ServerOptions } from './spawn.js';
import { startServer } from './spawn.js';

export interface RunningWorkers extends RunningServer {
  readonly wsUrl: string;
  /** The process ids of the workers that are there just now, the eldest first. */
  pids(): readonly number[];
  /** Resolves when there are so many that serve. */
  serving(count: number): Promise<void>;
  /** What `/metrics` says, summed over transports and the like. */
  metric(name: string): Promise<number>;
}

/** `serve --dev` with two workers, unless said otherwise, when both of them serve. */
export async function startWorkers(t: Test, options: ServerOptions = {}): Promise<RunningWorkers> {
  const server = await startServer(t, {
    ...options,
    command: options.command ?? ['serve', '--dev', '--port', '0', '--workers', '2'],
    env: { LOG_LEVEL: 'warn', ...options.env }, // the address is printed when all are there
  });
  const metric = async (name: string) => {
    const response = await fetch(`${server.url}/metrics`);
    const samples = parseMetrics(await response.text());
    return samples.filter((each) => each.name === name).reduce((sum, { value }) => sum + value, 0);
  };
  return {
    ...server,
    wsUrl: `${server.url.replace('http', 'ws')}/ws`,
    pids: () => childrenOf(server.child.pid ?? 0),
    serving: (count) =>
      eventually(`${count} workers that serve`, async () => {
        const seen = await metric('earshot_workers').catch(cutOff); // by one that has just ended
        return seen === count;
      }),
    metric,
  };
}

/** undefined where the connection was cut; anything else is thrown. */
function cutOff(error: unknown): undefined {
  if (error instanceof TypeError && error.message === 'fetch failed') return undefined;
  throw error;
}

/** Of a process, those that it has started and that are there. Linux only. */
export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Clients that are connected: as many with each worker, which take turns. */
export async function connected(t: Test, { wsUrl }: RunningWorkers, count: number): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for (let at = 0; at < count; at++) peers.push(await peer(t, wsUrl));
  await Promise.all(peers.map((each) => each.next('welcome')));
  return peers;
}
