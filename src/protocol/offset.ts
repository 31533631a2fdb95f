import { Refused } from './refused.js';
import { BEGINNING, NOW } from './version.js';

/**
 * A place in one life of a channel: after its `seq`-th message; 0 is before the first.
 * The `epoch` names the life: a channel that is deleted and made again has a later one,
 * so that an old position can't mean something else.
 */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** Where a reader asks to begin: a position, the beginning of what is kept, or the tail. */
export type Start = Position | typeof BEGINNING | typeof NOW;

const TIME_DIGITS = 9;
const SALT_DIGITS = 2;
const SEQ_DIGITS = 16;
const OFFSET = /^([0-9a-z]{11})_([0-9]{16})$/;

/** The epoch of a channel that is made now. It sorts after every epoch made earlier. `salt` is 0 to 1295. */
export function makeEpoch(nowMs: number, salt: number): string {
  return nowMs.toString(36).padStart(TIME_DIGITS, '0') + salt.toString(36).padStart(SALT_DIGITS, '0');
}

/**
 * A position as an offset: opaque to peers, sorts by bytes in log order,
 * has none of `, & = ? /` (Durable Streams §6).
 */
export function formatOffset(epoch: string, seq: number): string {
  return `${epoch}_${seq.toString().padStart(SEQ_DIGITS, '0')}`;
}

/** The position that an offset stands for. Throws `bad_offset` for what no server ever gave out. */
export function parseOffset(offset: string): Start {
  if (offset === BEGINNING || offset === NOW) return offset;
  const [, epoch, digits] = OFFSET.exec(offset) ?? [];
  const seq = Number(digits);
  if (epoch === undefined || !Number.isSafeInteger(seq)) {
    throw new Refused('bad_offset', 'an offset is "-1", "now", or one that this server gave out');
  }
  return { epoch, seq };
}
