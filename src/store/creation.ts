import type { Start } from '../protocol/offset.js';
import type { NewMessage } from './message.js';

/** When a channel ends by itself: after so long without a read or a write, or at a moment, or never. */
export interface Lifetime {
  /** Seconds without a read or a write after which it is deleted. Somebody who watches it is a reader. */
  readonly ttlSeconds?: number | undefined;
  /** When it is deleted, in ms since 1970. */
  readonly expiresAt?: number | undefined;
}

/** A channel that begins with what another one has (Durable Streams §4.2). */
export interface Fork {
  /** The channel that it begins with. */
  readonly source: string;
  /** Up to where. Default: the source's tail at this moment. */
  readonly start?: Start | undefined;
  /** How much of what follows `start` it has too: messages of JSON, else bytes. Default 0. */
  readonly skip?: number | undefined;
}

/** What a channel is made as. */
export interface Creation {
  /** As readers will see it. Default: that of the source of a fork, else `application/json`. */
  readonly contentType?: string | undefined;
  /** Default: that of the source of a fork, else it stays until it is deleted. */
  readonly lifetime?: Lifetime | undefined;
  /** Its first messages, of its type. */
  readonly messages?: readonly NewMessage[];
  /** True: it takes no more than these. Default false. */
  readonly closed?: boolean;
  readonly fork?: Fork | undefined;
  /** True: nothing of it goes but by what its own retention says; it is refused room rather than cut. Default false. */
  readonly whole?: boolean;
}
