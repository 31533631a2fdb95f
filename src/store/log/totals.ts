/** What all logs of a store come to together. */
export interface Totals {
  usedBytes: number;
  channels: number;
  /** When the latest life of a channel began, as epochs have it. */
  lastEpochAt: number;
}

/** What a message costs besides its data, about. */
export const OVERHEAD_BYTES = 200;
