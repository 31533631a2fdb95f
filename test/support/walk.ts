import { Lineage } from './lineage.js';
import type { CursorHolder, Reader } from './readers.js';
import { CURSOR_READERS, STREAM_READERS } from './readers.js';
import type { TcpProxy } from './tcp-proxy.js';

const READERS = { ...STREAM_READERS, ...CURSOR_READERS };
export type Technique = keyof typeof READERS;

/** How messages come to be: all of a burst with one call, whoever is called. */
export type Publish = (channel: string, data: readonly (number | string)[]) => Promise<unknown>;

/** Messages that are published together. */
export interface Burst {
  readonly channel: number;
  /** Of each message, about. */
  readonly sizes: readonly number[];
  /** Of the ways to publish. */
  readonly by: number;
  /** Turns of the event loop before it. */
  readonly pause: number;
}

/** One stay of the reader with one technique. */
export interface Step {
  readonly technique: Technique;
  /** Published before it comes, and while it is there. */
  readonly away: readonly Burst[];
  readonly during: readonly Burst[];
  /** After how many bytes its connection is cut; undefined where it stays until it has heard everything. */
  readonly cutAfterBytes: number | undefined;
  readonly waitMs: number;
  readonly byLastEventId: boolean;
}

export interface WalkOptions {
  readonly hop: TcpProxy;
  readonly channels: readonly string[];
  readonly publish: readonly Publish[];
  /** True where everything is kept. */
  readonly whole: boolean;
  /** Whether it begins where the channels do; else at the tail, by a cursor. */
  readonly fromStart: boolean;
}

const STUCK_MS = 20_000;

/** A reader that goes from one technique to the next, with a publisher at work. */
export class Walk {
  readonly positions = new Lineage();
  readonly #options: WalkOptions;
  /** How many messages of each channel are on their way or there. */
  readonly #sent = new Map<string, number>();
  #cursor: string | undefined;
  #hasBegun = false;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#hasBegun = options.fromStart;
    for (const channel of options.channels) {
      this.#sent.set(channel, 0);
      this.positions.begins(channel, options.whole);
    }
  }

  /** True where the step ended by a cut, or by the server. */
  async take(step: Step, at: number): Promise<boolean> {
    const { hop } = this.#options;
    await this.#publishAll(step.away);
    hop.cutAfter(step.cutAfterBytes ?? Number.POSITIVE_INFINITY);
    const wasCut = await this.#visit(step, at, () => this.#publishAll(step.during));
    hop.cutAfter(Number.POSITIVE_INFINITY);
    return wasCut;
  }

  /** Reads all that is left, by both lineages, and is not cut. */
  async finish(techniques: readonly Technique[]): Promise<void> {
    const { channels } = this.#options;
    for (const technique of techniques) {
      for (const at of channels.keys()) while (await this.#visit({ ...LAST, technique }, at, async () => {}));
    }
  }

  async #visit(
    { technique, waitMs, byLastEventId }: Omit<Step, 'away' | 'during'>,
    at: number,
    meanwhile: () => Promise<void>,
  ): Promise<boolean> {
    const { hop, channels } = this.#options;
    const isOne = technique in STREAM_READERS && technique !== 'webSocket';
    const followed = isOne ? channels.slice(at % channels.length).slice(0, 1) : channels;
    if (technique in STREAM_READERS) this.#cursor = undefined; // it will be behind
    const leave = new AbortController();
    let isQuiet = technique === 'longPoll' || technique === 'readLongPoll'; // it may hear nothing, if nothing is to come
    let allSent = false;
    const look = () => {
      if (this.positions.faults.length > 0 || (allSent && isQuiet && this.#hasAll(followed))) leave.abort();
    };
    const read: Reader = READERS[technique];
    const timer = setTimeout(() => {
      this.positions.fault(followed.join(), `${technique} is stuck`);
      leave.abort();
    }, STUCK_MS);
    const reading = read({
      port: hop.port,
      channels: followed,
      positions: this.positions,
      cursor: this.#holder(),
      leave: leave.signal,
      waitMs,
      byLastEventId,
      heard: () => {
        isQuiet = true;
        look();
      },
    });
    await meanwhile();
    allSent = true;
    look();
    await reading.finally(() => clearTimeout(timer));
    if (this.positions.faults.length > 0) throw new Error(this.positions.faults.join('\n'));
    return !leave.signal.aborted;
  }

  /** Who begins at the tail has nothing to come before it has a cursor, and all that is sent from then on after it. */
  #holder(): CursorHolder {
    const walk = this;
    return {
      beginsByOffset: this.#options.fromStart,
      get text() {
        return walk.#cursor;
      },
      came(text) {
        if (!walk.#hasBegun)
          for (const [channel, sent] of walk.#sent) walk.positions.beginsLate(channel, sent);
        walk.#hasBegun = true;
        walk.#cursor = text;
      },
    };
  }

  #hasAll(channels: readonly string[]): boolean {
    if (!this.#hasBegun) return true;
    return channels.every((channel) => this.positions.hasAllBefore(channel, this.#sent.get(channel) ?? 0));
  }

  async #publishAll(bursts: readonly Burst[]): Promise<void> {
    const { channels, publish } = this.#options;
    for (const { channel: at, sizes, by, pause } of bursts) {
      for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve));
      const channel = channels[at % channels.length] ?? '';
      const first = this.#sent.get(channel) ?? 0;
      this.#sent.set(channel, first + sizes.length);
      const data = sizes.map((size, index) => messageOf(first + index, size));
      await publish[by % publish.length]?.(channel, data);
    }
  }
}

const LAST = { cutAfterBytes: undefined, waitMs: 0, byLastEventId: false };

/** A number, made so long. */
function messageOf(number: number, size: number): number | string {
  const text = String(number);
  return size <= text.length ? number : text.padEnd(size, ' é:x');
}
