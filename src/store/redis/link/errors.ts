import { Refused } from '../../../protocol/refused.js';

/** What Redis says while it can't do what it is asked: it may be able to later. */
const LATER =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|OOM|MISCONF|NOREPLICAS|UNKILLABLE|NOAUTH|WRONGPASS|NOPERM|ERR max number of clients)\b/;

/** True for what another try may make good. All that is not Redis' own word is of the way to it. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name !== 'ReplyError' || LATER.test(error.message);
}

export function away(): Refused {
  return new Refused('unavailable', 'the store does not answer');
}
