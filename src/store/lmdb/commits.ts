import { setTimeout as wait } from 'node:timers/promises';
import { Refused } from '../../protocol/refused.js';
import type { Rules } from '../log/channels.js';
import { Channels } from '../log/channels.js';
import type { News } from '../watchers.js';
import type { Environment, StoredTotals } from './environment.js';
import { isFull } from './folder/free-space.js';
import type { ShelfParts } from './lmdb-shelf.js';
import { LmdbShelf } from './lmdb-shelf.js';

/** Something to be done to the channels, and who waits for it. */
interface Task {
  readonly bytes: number;
  run(channels: Channels, shelf: LmdbShelf): () => void;
  fail(error: Error): void;
}

interface Done {
  readonly totals: StoredTotals;
  readonly news: News[];
  readonly settles: (() => void)[];
}

export interface CommitParts extends Omit<ShelfParts, 'totals'> {
  /** The folder. */
  readonly path: string;
  readonly rules: Rules;
  now(): number;
  tell(news: News): void;
  /** Hears of what is not the fault of who asked; of a disk that takes nothing, when that begins. */
  onFault(error: Error): void;
  /** The disk takes something again. */
  onRecovery(): void;
}

/** So much is written with one commit, at most: it is done in one turn of the event loop. */
const MAX_TASKS = 500;
const MAX_COMMIT_BYTES = 4 * 1024 * 1024;
/** What waits for the disk is what somebody waits for; beyond this, those who come are told to come again. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const TASK_BYTES = 200;
/** After a commit that failed, who comes is refused for so long before it is tried again. */
const RETRY_MS = 1000;
/** How long the library has to say why. */
const REASON_WITHIN_MS = 100;

/** Writes: one commit at a time, each with all that has come while the one before it was on its way. */
export class Commits {
  readonly #tables: Environment;
  readonly #parts: CommitParts;
  #totals: StoredTotals;
  #waiting: Task[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly refusal: Refused; readonly until: number } | undefined;
  #hasEnded = false;

  constructor(parts: CommitParts, totals: StoredTotals) {
    this.#tables = parts.tables;
    this.#parts = parts;
    this.#totals = totals;
  }

  get totals(): StoredTotals {
    return this.#totals;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Does it with the next commit, and resolves when that is over; `bytes` is what it brings. */
  do<Result>(work: (channels: Channels, shelf: LmdbShelf) => Result, bytes = 0): Promise<Result> {
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const run = (channels: Channels, shelf: LmdbShelf): (() => void) => {
        try {
          const result = work(channels, shelf);
          return () => resolve(result);
        } catch (error) {
          if (error instanceof Refused) return () => reject(error);
          throw error;
        }
      };
      this.#waiting.push({ bytes: bytes + TASK_BYTES, run, fail: reject });
      this.#waitingBytes += bytes + TASK_BYTES;
      this.#running ??= this.#runAll();
    });
  }

  /** Refuses what comes from now on, and resolves when nothing is on its way any more. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    while (this.#running !== undefined) await this.#running;
  }

  #refusal(bytes: number): Refused | undefined {
    if (this.#hasEnded) return hasEnded();
    if (this.#failure !== undefined && this.#parts.now() < this.#failure.until) return this.#failure.refusal;
    if (this.#waitingBytes + bytes <= MAX_WAITING_BYTES || this.#waiting.length === 0) return undefined;
    return new Refused('unavailable', 'the disk does not keep up with what is published');
  }

  async #runAll(): Promise<void> {
    await undefined; // what comes in this turn goes with it
    while (this.#waiting.length > 0) await this.#runSome(this.#next());
    this.#running = undefined;
  }

  #next(): Task[] {
    let bytes = 0;
    let count = 0;
    for (const task of this.#waiting) {
      if (count === MAX_TASKS || (count > 0 && bytes + task.bytes > MAX_COMMIT_BYTES)) break;
      bytes += task.bytes;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #runSome(tasks: readonly Task[]): Promise<void> {
    try {
      this.#finish(await this.#commit(tasks));
    } catch (error) {
      if (!(error instanceof CommitFailed) && tasks.length > 1) {
        for (const task of tasks) await this.#runSome([task]); // one of them has met with damage: the others have not
        return;
      }
      this.#fail(tasks, error);
    }
  }

  /** Throws what a task throws, having written nothing; or `CommitFailed`. */
  async #commit(tasks: readonly Task[]): Promise<Done> {
    const done: { value?: Done; error?: unknown } = {};
    const committed = this.#tables.root.childTransaction(() => {
      try {
        done.value = this.#run(tasks);
      } catch (error) {
        done.error = error;
        throw error;
      }
    });
    try {
      await committed;
    } catch (error) {
      if (done.error !== undefined) throw done.error;
      throw new CommitFailed(await reasonOf(error, this.#parts.path));
    }
    if (done.value === undefined) throw new Error('a transaction that was not run');
    return done.value;
  }

  #run(tasks: readonly Task[]): Done {
    const { rules } = this.#parts;
    const shelf = new LmdbShelf({ ...this.#parts, totals: this.#totals });
    const now = this.#parts.now();
    const settles: (() => void)[] = [];
    const news: News[] = [];
    for (const task of tasks) {
      const channels = new Channels(shelf, rules, now);
      settles.push(task.run(channels, shelf));
      news.push(...channels.news);
    }
    shelf.write();
    return { totals: shelf.totals, news, settles };
  }

  #finish({ totals, news, settles }: Done): void {
    this.#totals = totals;
    if (this.#failure !== undefined) this.#parts.onRecovery();
    this.#failure = undefined;
    for (const each of news) this.#parts.tell(each);
    for (const settle of settles) settle();
  }

  #fail(tasks: readonly Task[], error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    const refusal = new Refused('unavailable', cause.message === FULL ? FULL : 'the store could not write');
    const isKnown = this.#failure !== undefined;
    if (cause instanceof CommitFailed) this.#failure = { refusal, until: this.#parts.now() + RETRY_MS };
    if (!(cause instanceof CommitFailed && isKnown)) this.#parts.onFault(cause);
    for (const task of tasks) task.fail(refusal);
  }
}

export function hasEnded(): Refused {
  return new Refused('unavailable', 'the store has ended');
}

/** The disk has not taken it: nothing of it is there. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed';
}

const FULL = "the disk of the store's folder is full";

async function reasonOf(error: unknown, path: string): Promise<string> {
  const reason = await toldReasonOf(error);
  return (await isFull(path, MAX_COMMIT_BYTES * 2)) ? FULL : reason; // as the library has it: I/O error
}

/** What the library says of a commit that failed, which it keeps in a promise beside the error. */
async function toldReasonOf(error: unknown): Promise<string> {
  const beside = error instanceof Error && 'commitError' in error ? error.commitError : undefined;
  const said = Promise.resolve(beside).then(
    () => error,
    (reason: unknown) => reason,
  );
  const reason = await Promise.race([said, wait(REASON_WITHIN_MS, error)]);
  return reason instanceof Error ? reason.message : String(reason);
}
