import type { Push } from '../protocol/pushes.js';
import type { StoredMessage } from '../store/store.js';

/** How frames travel; also what metrics call it. */
export type Transport = 'websocket' | 'http';

/**
 * How one kind of carrier prints what it carries. Stateless and shared by every carrier of the kind,
 * so that what many readers get is printed once.
 */
export interface Encoding {
  /** Messages of one channel, in order, as the bytes of one write. */
  messages(channel: string, messages: readonly StoredMessage[]): Uint8Array;
  /** A push, or undefined where this kind of carrier doesn't tell of it. */
  push(push: Push): Uint8Array | undefined;
  /** An envelope that is text already, or undefined where this kind of carrier has no replies. */
  reply(text: string): Uint8Array | undefined;
}

/** One open connection, as the core sees it: where bytes go. It knows nothing of channels. */
export interface Carrier {
  readonly transport: Transport;
  readonly encoding: Encoding;
  /** Bytes that were written and have not left the process. */
  readonly queuedBytes: number;
  /** Bytes that ever came in; any growth is a sign of life. */
  readonly receivedBytes: number;
  /** Bytes that ever went out to the kernel. */
  readonly sentBytes: number;
  /** Takes bytes of this carrier's encoding. Ignored once it is closing. Never throws. */
  write(bytes: Uint8Array): void;
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

/** Prints the same thing once for each encoding that asks for it. */
export class EncodeOnce {
  readonly #encode: (encoding: Encoding) => Uint8Array | undefined;
  readonly #printed = new Map<Encoding, Uint8Array | undefined>();

  constructor(encode: (encoding: Encoding) => Uint8Array | undefined) {
    this.#encode = encode;
  }

  for(encoding: Encoding): Uint8Array | undefined {
    if (this.#printed.has(encoding)) return this.#printed.get(encoding);
    const bytes = this.#encode(encoding);
    this.#printed.set(encoding, bytes);
    return bytes;
  }
}
