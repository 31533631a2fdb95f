import type { FastifyBaseLogger } from 'fastify';
import type { Begin, OfPrimary } from './line.js';
import { WorkerProcess } from './worker-process.js';

export interface CrewParts {
  readonly count: number;
  readonly log: FastifyBaseLogger;
  /** What one that says hello is told. */
  readonly begin: (isFirst: boolean) => Begin;
  /** What is done for each while it is there; what it returns undoes it. */
  readonly welcome: (worker: WorkerProcess) => () => void;
}

/** One that has lived for so long was well. */
const STEADY_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/** Before another one is started: nothing at first, and more each time that one has ended soon after its start. */
export function pauseMs(quickEnds: number): number {
  return quickEnds < 2 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (quickEnds - 2));
}

/** So many workers, as long as the server runs: one that ends is followed by another. */
export class Crew {
  readonly #parts: CrewParts;
  readonly #workers = new Set<WorkerProcess>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #isStarted = false;
  #isEnding = false;
  /** Of those that ended because they were told to: whether each did so in order. */
  #inOrder = true;

  constructor(parts: CrewParts) {
    this.#parts = parts;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Starts one, and when that listens the others. Resolves with its address when each of them listens or has failed;
   * rejects with `WorkerFailed` where the first can't be started.
   */
  async start(): Promise<string> {
    const first = this.#add(0, true);
    const url = await first.ready;
    this.#isStarted = true;
    const others = Array.from({ length: this.#parts.count - 1 }, () => this.#add(0, false));
    await Promise.allSettled(others.map(({ ready }) => ready));
    return url;
  }

  tell<Topic extends keyof OfPrimary>(topic: Topic, said: OfPrimary[Topic]): void {
    for (const { line } of this.#workers) line.tell(topic, said);
  }

  /** Ends all of them in order, each within its own time. Rejects where one did not. */
  async end(how: { readonly isCrash: boolean }): Promise<void> {
    this.#isEnding = true;
    for (const pause of this.#pauses) clearTimeout(pause);
    const workers = [...this.#workers];
    for (const worker of workers) worker.end(how);
    await Promise.all(workers.map(({ ended }) => ended));
    if (!this.#inOrder) throw new Error('a worker did not end in order');
  }

  /** Ends them now. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #add(quickEnds: number, isFirst: boolean): WorkerProcess {
    const bornAt = performance.now();
    const worker = new WorkerProcess();
    const leave = this.#parts.welcome(worker);
    this.#workers.add(worker);
    worker.line.hear('hello', () => worker.line.tell('begin', this.#parts.begin(isFirst)));
    void worker.ended.then(({ code, signal }) => {
      this.#workers.delete(worker);
      leave();
      if (this.#isEnding) this.#inOrder &&= code === 0 || signal === 'SIGKILL' || worker.isCrashing;
      else if (this.#isStarted) {
        const isQuick = performance.now() - bornAt < STEADY_MS;
        this.#follow(worker, { code, signal }, isQuick ? quickEnds + 1 : 0);
      }
    });
    return worker;
  }

  #follow(
    { pid }: WorkerProcess,
    ended: { code: number | null; signal: string | null },
    quickEnds: number,
  ): void {
    const afterMs = pauseMs(quickEnds);
    this.#parts.log.warn({ worker: pid, ...ended, afterMs }, 'a worker has ended, and another is started');
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      this.#add(quickEnds, false);
    }, afterMs);
    this.#pauses.add(pause);
  }
}
