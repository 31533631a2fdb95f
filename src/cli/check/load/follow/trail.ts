import type { ReaderPlan, Technique } from '../../history/events.js';
import type { History } from '../../history/history.js';
import { itemOf } from '../message.js';

/** Where a reader stands in its channels: what it hears goes into the history. */
export class Trail {
  readonly by: string;
  /** Resolves when it knows its place in every channel: who begins at the tail doesn't before it was told. */
  readonly placed: Promise<void>;
  #place: () => void = () => {};
  readonly #history: History;
  readonly #isFence: (uid: string) => boolean;
  readonly #positions: Map<string, string>;
  readonly #left: Set<string>;
  #technique: Technique = 'poll';
  /** Called with everything that is heard. */
  onHeard: () => void = () => {};

  /** `made` gives the position that a channel was made with; `isFence` knows the last message of one. */
  constructor(
    { by, start, channels }: ReaderPlan,
    made: ReadonlyMap<string, string>,
    history: History,
    isFence: (uid: string) => boolean,
  ) {
    this.by = by;
    this.#history = history;
    this.#isFence = isFence;
    this.#positions = new Map(
      channels.map((channel) => [channel, start === 'made' ? (made.get(channel) ?? '-1') : start]),
    );
    this.#left = new Set(channels);
    this.placed = new Promise((resolve) => {
      this.#place = resolve;
    });
    if (start !== 'now') this.#place();
  }

  get channels(): readonly string[] {
    return [...this.#positions.keys()];
  }

  /** Those whose last message it has not got yet. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** Those in which it doesn't know its place. */
  get unplaced(): readonly string[] {
    return this.channels.filter((channel) => this.position(channel) === 'now');
  }

  /** Throws for a channel that it doesn't follow. */
  position(channel: string): string {
    const position = this.#positions.get(channel);
    if (position === undefined) throw new Error(`${this.by} doesn't follow ${channel}`);
    return position;
  }

  began(technique: Technique, channels: readonly string[]): void {
    this.#technique = technique;
    for (const channel of channels)
      this.#history.note(this.by, { kind: 'read.began', technique, channel, from: this.position(channel) });
  }

  /** It reads nothing, now and then, from here to the end of its visit. */
  slows(): void {
    this.#history.note(this.by, { kind: 'fault', what: 'slow' });
  }

  ended(channels: readonly string[], why: 'left' | 'cut' | 'lost' | 'over'): void {
    const technique = this.#technique;
    for (const channel of channels)
      this.#history.note(this.by, { kind: 'read.ended', technique, channel, why });
  }

  joined(channel: string, offset: string, resume: 'complete' | 'lost' | 'none'): void {
    this.#history.note(this.by, { kind: 'read.joined', technique: this.#technique, channel, offset, resume });
    this.#moves(channel, offset);
  }

  received(channel: string, data: readonly unknown[], offset: string): void {
    const items = data.map(itemOf);
    this.#history.note(this.by, {
      kind: 'read.received',
      technique: this.#technique,
      channel,
      items,
      offset,
    });
    if (items.some(([uid]) => this.#isFence(uid))) this.#left.delete(channel);
    this.#moves(channel, offset);
  }

  /** Told where it stands, with nothing to read: of interest where it didn't know. */
  stands(channel: string, offset: string): void {
    if (this.position(channel) !== offset)
      this.#history.note(this.by, { kind: 'read.stands', technique: this.#technique, channel, offset });
    this.#moves(channel, offset);
  }

  /** null: at the beginning of what is kept. */
  missed(channel: string, offset: string | null): void {
    this.#history.note(this.by, { kind: 'read.gap', technique: this.#technique, channel, offset });
    this.#moves(channel, offset ?? '-1');
  }

  #moves(channel: string, offset: string): void {
    this.#positions.set(channel, offset);
    if (this.unplaced.length === 0) this.#place();
    this.onHeard();
  }
}
