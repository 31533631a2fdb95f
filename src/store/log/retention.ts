import type { Retention } from '../store.js';
import type { Entries } from './entries.js';
import type { LogState } from './log-state.js';
import type { Totals } from './totals.js';
import { OVERHEAD_BYTES } from './totals.js';

/** How a log is kept. */
export interface Keeping {
  readonly retention: Retention;
  readonly whole: boolean;
  readonly maxStoreBytes: number;
}

/**
 * The position from which on a log is kept now: in steps that grow with the digits of its length, whatever there is to
 * let go of. (What came first is never younger than what came later, and never has more before it.)
 */
export function keptFrom(
  state: LogState,
  entries: Entries,
  { retention, whole, maxStoreBytes }: Keeping,
  totals: Totals,
  now: number,
): number {
  const { startSeq, startBytes, tailSeq, tailBytes } = state;
  const isKept = (seq: number): boolean => {
    if (seq === tailSeq) return true;
    const { at, bytesBefore } = entries.mark(seq + 1);
    if (tailBytes - bytesBefore > retention.bytes || at < now - retention.ageMs) return false;
    const freedBytes = bytesBefore - startBytes + (seq - startSeq) * OVERHEAD_BYTES;
    return whole || seq === tailSeq - 1 || totals.usedBytes - freedBytes <= maxStoreBytes;
  };
  const first = Math.max(startSeq, tailSeq - retention.messages);
  return isKept(first) ? first : firstWhere(first + 1, tailSeq, isKept);
}

/** The first number from `low` to `high` of which it is so, where it is so of all that follow, and of `high`. */
function firstWhere(low: number, high: number, isSo: (number: number) => boolean): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isSo(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}
