import { pause } from '../../client/pause.js';
import type { Target } from '../../doctor/target.js';
import type { EventOf, HistoryEvent, ReaderPlan, Technique } from '../history/events.js';
import { TECHNIQUES } from '../history/events.js';
import { History } from '../history/history.js';
import { FENCE } from '../judge/publishing.js';
import { deleteChannel, makeChannel } from './channels.js';
import { Denied } from './denied.js';
import { Trail } from './follow/trail.js';
import { CheckPublisher } from './publisher.js';
import { Random } from './random.js';
import { CheckReader } from './reader.js';
import { Sender } from './senders.js';

/** What is to be done to a server, and how long. */
export interface CheckOptions {
  readonly target: Target;
  /** Who may neither read nor publish on these channels; without channels, on those of the run. */
  readonly denied?: { readonly target: Target; readonly channels: readonly string[] } | undefined;
  /** What decides over everything that is chance. */
  readonly seed: string;
  readonly seconds: number;
  readonly publishers: number;
  readonly readers: number;
  readonly channels: number;
  /** What the names of its channels begin with. */
  readonly prefix: string;
  /** Whether retention takes nothing of its channels while it runs, so that what is gone was lost. Default false. */
  readonly isWhole?: boolean;
  /** Gets every event of the history, in order. */
  readonly note: (event: HistoryEvent) => void;
  /** Ends the busy time early. */
  readonly signal?: AbortSignal;
  /** How long readers may take to come to the end, in ms. Default 30,000. */
  readonly settleMs?: number;
  /**
   * Goes on beside the readers and publishers: what makes things go wrong. `noted` is told what it does. To end when
   * the signal says so, with everything in order again.
   */
  readonly faults?: (noted: (what: EventOf<'fault'>['what']) => void, signal: AbortSignal) => Promise<void>;
  readonly say?: (words: string) => void;
}

/** What a run leaves behind. */
export interface CheckRun {
  /** Channels that could not be deleted. */
  readonly left: readonly string[];
  readonly history: History;
}

const SETTLE_MS = 30_000;
const PROGRESS_MS = 5000;

/**
 * Publishes to channels of its own and reads them in every way, with cuts, changes of technique and slow readers, and
 * notes what was sent and received: a history for the judge. Rejects with a CommandError where the server lets it do
 * nothing of that.
 */
export async function runCheck(options: CheckOptions): Promise<CheckRun> {
  const run = new Run(options);
  try {
    await run.make();
    await run.work();
    await run.settle();
    return { left: await run.clean(), history: run.history };
  } finally {
    run.stop();
  }
}

class Run {
  readonly history: History;
  readonly #options: CheckOptions;
  readonly #id: string;
  readonly #random: Random;
  readonly #channels: readonly string[];
  readonly #made = new Map<string, string>();
  readonly #senders: Sender[] = [];
  readonly #busy = new AbortController();
  #deadline = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  readonly #plans: readonly ReaderPlan[];
  #reading: Promise<unknown> = Promise.resolve();
  #placed: Promise<unknown> = Promise.resolve();

  constructor(options: CheckOptions) {
    this.#options = options;
    const since = performance.now();
    this.history = new History(options.note, () => performance.now() - since);
    this.#id = `${options.seed}-${Date.now().toString(36)}`; // the same seed again has other channels
    this.#random = new Random(options.seed);
    this.#channels = count(options.channels).map((at) => `${options.prefix}/${this.#id}/${at}`);
    this.#plans = this.#plan();
  }

  async make(): Promise<void> {
    const whole = this.#options.isWhole === true && ({ whole: true } as const);
    this.history.note('run', {
      kind: 'begin',
      format: 1,
      run: this.#id,
      readers: [...this.#plans],
      ...whole,
    });
    for (const channel of this.#channels) {
      const offset = await makeChannel(this.#options.target, channel, this.#busy.signal);
      this.#made.set(channel, offset);
      this.history.note('run', { kind: 'channel.made', channel, offset });
    }
    const opening = this.#publisher('opening', false);
    for (const channel of this.#channels) await opening.publishOne(channel); // a stream begins with its first message
  }

  /** The busy time. What fails ends it at once. */
  async work(): Promise<void> {
    const { publishers, seconds, signal, faults } = this.#options;
    const readers = this.#plans.filter(({ start }) => start === '-1' || start === 'now');
    const trails = readers.map((plan) => this.#trail(plan));
    this.#placed = Promise.all(trails.map(({ placed }) => placed));
    this.#reading = Promise.all(trails.map((trail) => this.#reader(trail, TECHNIQUES).read()));
    this.#reading.catch(() => this.#busy.abort()); // `settle` waits for it
    const writing = count(publishers).map((at) => this.#publisher(`publisher-${at}`, at % 2 === 0).publish());
    const noted = (what: EventOf<'fault'>['what']) => this.history.note('faults', { kind: 'fault', what });
    const end = AbortSignal.any([this.#busy.signal, ...(signal === undefined ? [] : [signal])]);
    const others = [...writing, this.#insist(), faults?.(noted, this.#busy.signal)];
    const working = Promise.all(others).finally(() => this.#busy.abort());
    const progress = setInterval(() => this.#progress(), PROGRESS_MS);
    try {
      await pause(seconds * 1000, end);
      this.#busy.abort();
      await working;
    } finally {
      clearInterval(progress);
    }
  }

  /** Nothing goes wrong any more: everybody comes to the end, and the log is read as a whole in every way. */
  async settle(): Promise<void> {
    this.#options.say?.('waiting for the readers');
    this.#timed();
    await Promise.race([this.#placed, this.#reading]); // who began at the tail would not see what was there before
    const fence = this.#publisher(FENCE, true);
    for (const channel of this.#channels) {
      while (!(await fence.publishOne(channel)) && !this.#deadline.signal.aborted); // a log that was lost may not be there yet
    }
    await this.#reading;
    this.#deadline = new AbortController();
    this.#timed();
    const closing = this.#plans.filter(({ start }) => start === 'made');
    for (const [at, plan] of closing.entries())
      await this.#reader(this.#trail(plan), [TECHNIQUES[at] ?? 'poll']).read();
    this.history.end('run');
  }

  /** From now on there is only so much time. */
  #timed(): void {
    const deadline = this.#deadline;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => deadline.abort(), this.#options.settleMs ?? SETTLE_MS);
  }

  /** Those that could not be deleted. */
  async clean(): Promise<readonly string[]> {
    const { target } = this.#options;
    const done = await Promise.all(this.#channels.map((channel) => deleteChannel(target, channel)));
    return this.#channels.filter((_, at) => done[at] !== true);
  }

  stop(): void {
    this.#busy.abort();
    this.#deadline.abort();
    clearTimeout(this.#timer);
    for (const sender of this.#senders) sender.close();
  }

  #plan(): ReaderPlan[] {
    const { readers, denied } = this.#options;
    const channels = [...this.#channels];
    const some = () => channels.slice(0, this.#random.between(1, channels.length));
    const moving = count(readers).map((at) => {
      const start = at % 3 === 2 ? ('now' as const) : ('-1' as const);
      return { by: `reader-${at}`, start, channels: at === 0 ? channels : some() };
    });
    // one after the other: what one of them gets, one before it can't have been told to be gone
    const closing = [...TECHNIQUES, 'again'].map((name) => ({
      by: `all-${name}`,
      start: 'made' as const,
      channels,
    }));
    const refused = denied?.channels.length === 0 ? channels : [...(denied?.channels ?? [])];
    const nowhere =
      denied === undefined ? [] : [{ by: 'denied', start: 'nowhere' as const, channels: refused }];
    return [...moving, ...closing, ...nowhere];
  }

  #trail(plan: ReaderPlan): Trail {
    const isFence = (uid: string) => uid.startsWith(`${this.#id}.${FENCE}.`);
    return new Trail(plan, this.#made, this.history, isFence);
  }

  #reader(trail: Trail, techniques: readonly Technique[]): CheckReader {
    return new CheckReader({
      target: this.#options.target,
      trail,
      random: this.#random.of(trail.by),
      techniques,
      busy: this.#busy.signal,
      deadline: this.#deadline.signal,
    });
  }

  #publisher(by: string, isProducer: boolean): CheckPublisher {
    const sender = new Sender(this.#options.target);
    this.#senders.push(sender);
    return new CheckPublisher({
      by,
      run: this.#id,
      history: this.history,
      sender,
      random: this.#random.of(by),
      channels: this.#channels,
      isProducer,
      busy: this.#busy.signal,
      deadline: this.#deadline.signal,
    });
  }

  async #insist(): Promise<void> {
    const plan = this.#plans.find(({ start }) => start === 'nowhere');
    const { denied } = this.#options;
    if (plan === undefined || denied === undefined) return;
    await new Denied({
      by: plan.by,
      run: this.#id,
      target: denied.target,
      history: this.history,
      random: this.#random.of(plan.by),
      channels: plan.channels,
      busy: this.#busy.signal,
    }).insist();
  }

  #progress(): void {
    const [sent, got] = [this.history.countOf('publish.accepted'), this.history.countOf('read.received')];
    const cuts = this.history.countOf('read.ended');
    this.#options.say?.(`${sent} messages accepted, ${got} deliveries, ${cuts} visits of readers`);
  }
}

function count(to: number): number[] {
  return Array.from({ length: to }, (_, at) => at);
}
