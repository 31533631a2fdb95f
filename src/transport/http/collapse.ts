/** Durable Streams §10.1: time in steps of 20 s since 9 October 2024. */
const SINCE_MS = Date.UTC(2024, 9, 9);
const STEP_MS = 20_000;
const MAX_JITTER_STEPS = 180;
const CURSOR = /^\d{1,15}$/;

/**
 * The cursor of a live answer: the step of time, so that what caches hold of waiting readers has an end; after the one
 * that a reader has, where that is not in the past.
 */
export function nextCursor(given: string | undefined, nowMs: number, random: number): number {
  const step = Math.floor((nowMs - SINCE_MS) / STEP_MS);
  const last = given !== undefined && CURSOR.test(given) ? Number(given) : -1;
  return last < step ? step : last + 1 + Math.floor(random * MAX_JITTER_STEPS);
}
