import type { Lifetime } from './creation.js';
import type { Stretch } from './epochs.js';
import type { NewMessage, StoredMessage } from './message.js';

/** What a fork begins with. */
export interface Inheritance {
  readonly source: string;
  /** That of the source: what it has where no other was asked for. */
  readonly lifetime: Lifetime;
  /** What was asked for, by all its names: asked for again it is the same fork. */
  readonly asked: { readonly places: ReadonlySet<string>; readonly skip: number };
  /** Before the oldest message. */
  readonly startSeq: number;
  /** With the offsets that they have in the source. */
  readonly messages: readonly StoredMessage[];
  readonly stretches: readonly Stretch[];
  /** The beginning of a message that the source has whole. */
  readonly part: NewMessage | undefined;
}
