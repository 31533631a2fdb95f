import type { ErrorCode } from './codes.js';

/**
 * What a peer asked for and can't have: its code goes back to it, and the log tells of its kind once a minute at most.
 * Any other error is a fault of ours.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ErrorCode;
  /** For a schema error: one line per fault, with its path. */
  readonly details: readonly string[] | undefined;

  constructor(code: ErrorCode, message: string, details?: readonly string[]) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
