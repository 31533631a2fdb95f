import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Teardown } from './spawn.js';

/** Where clients connect to. */
export interface Door {
  readonly port: number;
  /** When each connection came, in ms of the balancer's own clock. */
  arrivalsMs(): Promise<readonly number[]>;
}

/** What stands before several nodes: it asks each whether it is ready, and brings who comes to one that is. */
export interface Balancer {
  /** One more port to connect to: what comes there is counted by itself. */
  door(): Promise<Door>;
  /** Takes a node on. Resolves when it was found ready for the first time. */
  add(port: number): Promise<void>;
  /** Asks it no more. Connections that are open stay. */
  remove(port: number): Promise<void>;
}

/** What its process is asked, and what it answers; 0 is no port. */
export interface Asked {
  readonly id: number;
  readonly ask: 'door' | 'arrivals' | 'add' | 'remove';
  readonly port: number;
}
export interface Answer {
  readonly id: number;
  readonly value: number | readonly number[];
}

const PROCESS = fileURLToPath(new URL('balancer-process.ts', import.meta.url));

/**
 * On the loopback, for TCP, in a process of its own: of the nodes that are ready, the one with the fewest connections gets the
 * next. Who comes when there is none is cut. It ends with the test.
 */
export function balancer(t: Teardown): Balancer {
  const child = fork(PROCESS);
  t.teardown(async () => {
    if (child.kill('SIGKILL')) await once(child, 'exit');
  });
  const waiting = new Map<number, (value: Answer['value']) => void>();
  child.on('message', ({ id, value }: Answer) => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  let last = 0;
  const asked = (ask: Asked['ask'], port = 0) =>
    new Promise<Answer['value']>((resolve) => {
      const id = ++last;
      waiting.set(id, resolve);
      child.send({ id, ask, port } satisfies Asked);
    });
  return {
    async door() {
      const port = Number(await asked('door'));
      return { port, arrivalsMs: async () => [await asked('arrivals', port)].flat() };
    },
    add: async (port) => void (await asked('add', port)),
    remove: async (port) => void (await asked('remove', port)),
  };
}
