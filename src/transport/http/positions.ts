import { fingerprint, formatCursor } from './cursor.js';
import type { EnvelopeText } from './envelopes.js';

/** Where a reader of several channels stands: after what was written to it, and nothing else. */
export class Positions {
  readonly #key: string;
  readonly #channels: number;
  readonly #names = new Map<string, string>();
  readonly #offsets = new Map<string, string>();
  #cursor: string | undefined;

  /** `key` is of the reader's cursors. What its so many channels begin at is to be set. */
  constructor(key: string, channels: number) {
    this.#key = key;
    this.#channels = channels;
  }

  /** False while it is still to be found out where some of its channels begin: there is no cursor to be told. */
  get isComplete(): boolean {
    return this.#names.size >= this.#channels;
  }

  get cursor(): string {
    this.#cursor ??= formatCursor({ key: this.#key, offsets: this.#offsets });
    return this.#cursor;
  }

  /** It stands here in a channel. */
  set(channel: string, offset: string): void {
    const name = this.#names.get(channel) ?? fingerprint(channel);
    this.#names.set(channel, name);
    this.#offsets.set(name, offset);
    this.#cursor = undefined;
  }

  /** It was handed an envelope. */
  follow({ channel, offset }: EnvelopeText): void {
    if (channel !== undefined && offset !== undefined) this.set(channel, offset);
  }
}
