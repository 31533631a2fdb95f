import { Refused } from '../../protocol/refused.js';

/** One thing to be done to a channel. */
interface Job<Work> {
  /** Undefined where it is done by itself, by `run`. */
  readonly work: Work | undefined;
  readonly run: () => Promise<unknown>;
  readonly bytes: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Does all of it in one step; gives the result of each, or the error. */
type DoTogether<Work, Result> = (
  channel: string,
  works: readonly Work[],
) => Promise<readonly (Result | Error)[]>;

/** Of what is waiting and under way, in all channels. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Of one step: Redis does nothing else meanwhile. */
const MAX_STEP_WORKS = 128;
const MAX_STEP_BYTES = 1024 * 1024;

/**
 * What is to be done to channels: in each one thing after the other, in the order of the calls. What comes while a step is under
 * way goes with the next one.
 */
export class Lanes<Work, Result> {
  readonly #doTogether: DoTogether<Work, Result>;
  readonly #lanes = new Map<string, Job<Work>[]>();
  #bytes = 0;

  constructor(doTogether: DoTogether<Work, Result>) {
    this.#doTogether = doTogether;
  }

  /** Resolves when nothing is under way. */
  async rest(): Promise<void> {
    while (this.#lanes.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Something that may be done together with others of its kind. Throws `unavailable` where too much is waiting. */
  together(channel: string, work: Work, bytes: number): Promise<Result> {
    return this.#add(channel, { work, bytes, run: async () => undefined }) as Promise<Result>; // what doTogether gave
  }

  /** Something that is done by itself. */
  alone<Value>(channel: string, run: () => Promise<Value>, bytes = 0): Promise<Value> {
    return this.#add(channel, { work: undefined, bytes, run }) as Promise<Value>; // what run gave
  }

  #add(channel: string, job: Pick<Job<Work>, 'work' | 'run' | 'bytes'>): Promise<unknown> {
    if (this.#bytes + job.bytes > MAX_BYTES)
      return Promise.reject(new Refused('unavailable', 'too much is waiting for the store'));
    this.#bytes += job.bytes;
    return new Promise((resolve, reject) => {
      const whole = { ...job, resolve, reject };
      const lane = this.#lanes.get(channel);
      if (lane !== undefined) {
        lane.push(whole);
        return;
      }
      this.#lanes.set(channel, [whole]);
      setImmediate(() => void this.#work(channel)); // what else this turn of the event loop brings goes with it
    });
  }

  async #work(channel: string): Promise<void> {
    const lane = this.#lanes.get(channel) ?? [];
    while (lane.length > 0) await this.#step(channel, takeStep(lane));
    this.#lanes.delete(channel);
  }

  async #step(channel: string, jobs: readonly Job<Work>[]): Promise<void> {
    const [first] = jobs;
    try {
      if (first?.work === undefined) first?.resolve(await first.run());
      else {
        const results = await this.#doTogether(
          channel,
          jobs.flatMap(({ work }) => (work === undefined ? [] : [work])),
        );
        for (const [at, job] of jobs.entries()) {
          const result = results[at];
          if (result instanceof Error) job.reject(result);
          else job.resolve(result);
        }
      }
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    } finally {
      for (const { bytes } of jobs) this.#bytes -= bytes;
    }
  }
}

/** The next that are done together, or the one that is done by itself. */
function takeStep<Work>(lane: Job<Work>[]): Job<Work>[] {
  let count = 1;
  let bytes = lane[0]?.bytes ?? 0;
  while (lane[0]?.work !== undefined && count < MAX_STEP_WORKS) {
    const next = lane[count];
    if (next?.work === undefined || bytes + next.bytes > MAX_STEP_BYTES) break;
    bytes += next.bytes;
    count++;
  }
  return lane.splice(0, count);
}
