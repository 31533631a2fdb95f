import type { Push } from '../protocol/pushes.js';
import type { StoredMessage } from '../store/message.js';

/** How frames travel; also what metrics call it. `http` is a request that publishes and reads nothing. */
export type Transport = 'websocket' | 'sse' | 'long-poll' | 'poll' | 'http';

/**
 * How one kind of carrier prints what it carries. Stateless and shared by every carrier of the kind, so that what
 * many readers get is printed once. What it prints is the carrier's own affair: mostly bytes.
 */
export interface Encoding<Printed = unknown> {
  /** Messages of one channel, in order, as one write. `upToDate` is true where nothing follows them yet. */
  messages(channel: string, messages: readonly StoredMessage[], upToDate: boolean): Printed;
  /** A push, or undefined where this kind of carrier doesn't tell of it. */
  push(push: Push): Printed | undefined;
  /** An envelope that is text already, or undefined where this kind of carrier has no replies. */
  reply(text: string): Printed | undefined;
}

/** One open connection, as the core sees it: where bytes go. It knows nothing of channels. */
export interface Carrier<Printed = unknown> {
  readonly transport: Transport;
  readonly encoding: Encoding<Printed>;
  /** What writes to it and to others at once; undefined where it can only be written to by itself. */
  readonly fan?: Fan<Printed> | undefined;
  /** Bytes that were written and have not left the process. */
  readonly queuedBytes: number;
  /** Bytes that ever came in; any growth is a sign of life. */
  readonly receivedBytes: number;
  /** Bytes that ever went out to the kernel. */
  readonly sentBytes: number;
  /** False where a ping is sent to keep what stands between awake, and nothing can come back. */
  readonly answersPings: boolean;
  /** True where it is there for the subscriptions it began with: without any, its session ends. */
  readonly endsWithSubscriptions: boolean;
  /** Takes what this carrier's encoding has printed, and nothing else. Ignored once it is closing. Never throws. */
  write(printed: Printed): void;
  /** All that there is was handed over: every subscription is live. May be told again. */
  settled(): void;
  /** The time that it was given is up. */
  timeUp(): void;
  /** Asks the peer for a sign of life. */
  ping(): void;
  /** Stops and restarts taking input; what has arrived may still come. */
  pause(): void;
  resume(): void;
  /** Ends in order, after what was written; what the peer leaves unanswered is cut after a while. */
  close(code: number, reason: string): void;
  /** Cuts at once. */
  terminate(): void;
}

/** Writes to many carriers of one encoding at once. */
export interface Fan<Printed = unknown> {
  /** As if it were written to each of them, in whatever order. Never throws. */
  write(carriers: readonly Carrier<Printed>[], printed: Printed): void;
}

/** Prints the same thing once for each encoding that asks for it. */
export class EncodeOnce {
  readonly #encode: (encoding: Encoding) => unknown;
  readonly #printed = new Map<Encoding, unknown>();

  constructor(encode: (encoding: Encoding) => unknown) {
    this.#encode = encode;
  }

  for(encoding: Encoding): unknown {
    if (this.#printed.has(encoding)) return this.#printed.get(encoding);
    const printed = this.#encode(encoding);
    this.#printed.set(encoding, printed);
    return printed;
  }
}
