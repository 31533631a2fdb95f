import cluster from 'node:cluster';

/** The variable by which a process knows that it is a worker of ours, and not one of somebody else's cluster. */
const MARK = 'WORKER_OF_EARSHOT';

/** For the environment of a worker. */
export function markOf(primaryPid: number): NodeJS.ProcessEnv {
  return { [MARK]: String(primaryPid) };
}

let was: boolean | undefined;

/** Whether this process is a worker. What it starts itself is none: the variable is taken away. */
export function isWorker(): boolean {
  was ??= cluster.isWorker && process.env[MARK] === String(process.ppid);
  delete process.env[MARK];
  return was;
}
