import type { Retention } from './store.js';

/** PROTOCOL: 1,000 messages or 24 h or 8 MiB, whichever first. */
export const DEFAULT_RETENTION: Retention = { messages: 1000, ageMs: 24 * 3_600_000, bytes: 8 * 1024 * 1024 };

/** No bound: what is kept goes with its channel. */
export const KEEP_EVERYTHING: Retention = {
  messages: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
};
