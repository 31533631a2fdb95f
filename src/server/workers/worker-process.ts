import type { Worker } from 'node:cluster';
import cluster from 'node:cluster';
import { closeUntaken } from './handed.js';
import type { OfPrimary, OfWorker } from './line.js';
import { Line } from './line.js';
import { markOf } from './mark.js';

/** A worker could not be started. It has said why itself, unless a signal ended it. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
  readonly exitCode: number;

  constructor({ code, signal }: Ended) {
    super(code === null ? `a worker was ended by ${signal} before it was up` : '');
    this.exitCode = code || 1;
  }
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker, as the primary process has it. */
export class WorkerProcess {
  readonly line: Line<OfPrimary, OfWorker>;
  /** Its address, when it listens; rejects with `WorkerFailed` where it ends before. */
  readonly ready: Promise<string>;
  readonly ended: Promise<Ended>;
  readonly #worker: Worker;
  #isReady = false;
  #isCrashing = false;

  /** Starts it: as this process was started, and with more to be told when it says hello. */
  constructor() {
    const worker = cluster.fork(markOf(process.pid));
    this.#worker = worker;
    closeUntaken(worker.process);
    this.line = new Line({
      send: (message, sent) => worker.process.send(message as object, undefined, undefined, () => sent()),
      listen: (hear) => worker.on('message', hear),
    });
    this.line.hear('crash', () => {
      this.#isCrashing = true;
    });
    this.ended = new Promise((resolve) => {
      worker.once('exit', (code, signal) => resolve({ code, signal }));
      // it could not be started at all, and so it does not end
      worker.on('error', () => worker.process.pid === undefined && resolve({ code: 1, signal: null }));
    });
    this.ready = new Promise((resolve, reject) => {
      this.line.hear('ready', (url) => {
        this.#isReady = true;
        resolve(url);
      });
      void this.ended.then((ended) => reject(new WorkerFailed(ended)));
    });
    this.ready.catch(() => {}); // whoever waits for it is told
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** It had begun to end by itself, for an error, before it could be told to. */
  get isCrashing(): boolean {
    return this.#isCrashing;
  }

  /** One that serves ends in order, another at once. */
  end(how: { readonly isCrash: boolean }): void {
    if (this.#isReady) this.line.tell('end', how);
    else this.kill();
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }
}
