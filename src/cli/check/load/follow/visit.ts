import type { Target } from '../../../doctor/target.js';
import type { Refusal } from '../wire/http.js';
import type { Trail } from './trail.js';

/** One stay of a reader with one technique. */
export interface Visit {
  readonly target: Target;
  readonly trail: Trail;
  readonly channels: readonly string[];
  /** It has had enough: the connection is cut, wherever it is. */
  readonly leave: AbortSignal;
  /** It reads nothing for so long, now and then; 0: it is as fast as it can. */
  readonly slowMs: number;
  /** Where it goes on in `/v1/read`, if that is where it comes from. */
  readonly cursor: Cursor;
}

export interface Cursor {
  text: string | undefined;
}

/** How a visit ended, if not by leaving: in order, cut by something else, or refused. */
export type Ended = 'over' | 'lost' | Refusal;

/** Reads until the connection ends, or it leaves. */
export type Follow = (visit: Visit) => Promise<Ended>;
