import type { Writable } from 'node:stream';
import type { Result } from 'tap-parser';

export interface Failure {
  readonly name: string;
  /** What went wrong in it. */
  readonly points: readonly Result[];
}

export interface Count {
  readonly passed: number;
  readonly failures: readonly Failure[];
}

export interface FileCount extends Count {
  readonly name: string;
  readonly timeMs: number;
}

/** Counts a stream of TAP; `onFile` is told of each test file as it ends. */
export function createTally(onFile?: (file: FileCount) => void): {
  readonly stream: Writable;
  /** What it came to, once the stream has ended. */
  result(): Count;
};

/** A failure for a person to read. */
export function describeFailure(failure: Failure): string;
