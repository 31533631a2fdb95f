import type { Advice, ErrorCode } from '../protocol/codes.js';

/**
 * What goes wrong on this side of the wire:
 * `closed_by_client` close() was called · `disconnected` the connection was cut and the command is not repeated ·
 * `timeout` no answer in time · `aborted` the signal said so · `overflow` a bounded buffer or queue is full ·
 * `conflict` the channel is already subscribed at another offset · `ended` the subscription is over ·
 * `token_failed` the token function threw · `bad_url` no WebSocket can be made for the address.
 */
export type LocalErrorCode =
  | 'closed_by_client'
  | 'disconnected'
  | 'timeout'
  | 'aborted'
  | 'overflow'
  | 'conflict'
  | 'ended'
  | 'token_failed'
  | 'bad_url';

/** The one class of every error that this client makes, throws or hands out. */
export class EarshotError extends Error {
  override readonly name = 'EarshotError';
  /** Stable; a newer server may send codes that this version doesn't list. */
  readonly code: ErrorCode | LocalErrorCode | (string & {});
  /** What helps: the same again later (`retry`), a new token first (`refresh`), or nothing (`never`). */
  readonly advice: Advice;
  /** For a schema error, one line per fault with its path; else empty. */
  readonly details: readonly string[];

  constructor(
    code: ErrorCode | LocalErrorCode | (string & {}),
    message: string,
    advice: Advice = 'never',
    more: { readonly details?: readonly string[] | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    this.code = code;
    this.advice = advice;
    this.details = more.details ?? [];
  }
}

/** An `error` envelope, or the answer to a failed command, as an error. */
export function errorOf(envelope: {
  readonly code: string;
  readonly message: string;
  readonly advice: Advice;
  readonly details?: readonly string[];
}): EarshotError {
  return new EarshotError(envelope.code, envelope.message, envelope.advice, { details: envelope.details });
}
