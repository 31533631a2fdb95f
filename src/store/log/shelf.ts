import type { Log } from './log.js';
import type { LogState } from './log-state.js';
import type { Totals } from './totals.js';

/** Where the logs of a store stand, by the names of their channels. What is done to it is done at once, or not at all. */
export interface Shelf {
  readonly totals: Totals;
  get(channel: string): Log | undefined;
  /** A log that stands nowhere yet. */
  make(channel: string, state: LogState): Log;
  /** Puts a log there, in place of what is there. */
  set(channel: string, log: Log): void;
  delete(channel: string): void;
  /** Names of channels of which some never had a message; those that never had are all among them. */
  blank(): Iterable<string>;
  /** The first names after this one, sorted by bytes, of the logs that are meant. */
  names(after: string, limit: number, isMeant: (channel: string, log: Log) => boolean): string[];
}
