/** The bounds of a backoff. */
export interface BackoffBounds {
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

/**
 * How long to wait after the `failures`-th failure in a row (from 1), in ms. Full jitter above a floor:
 * uniform in [min, min(max, min · 2^failures)], so that clients cut together come back apart.
 * `random` is in [0, 1).
 */
export function backoffMs(failures: number, bounds: BackoffBounds, random: number): number {
  const { minBackoffMs, maxBackoffMs } = bounds;
  return within([minBackoffMs, Math.min(maxBackoffMs, minBackoffMs * 2 ** failures)], random);
}

/** A whole number of ms picked uniformly in the window. */
export function within([from, to]: readonly [number, number], random: number): number {
  return Math.round(from + Math.max(0, to - from) * random);
}
