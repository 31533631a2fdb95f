import { Refused } from '../../../protocol/refused.js';

/** How Redis begins to say that it can't do what it is asked, though it may be able to later: what that is for who has asked. */
const LATER: Readonly<Record<string, string>> = {
  OOM: 'the store is full',
  MISCONF: 'the store cannot write to its disk',
  NOREPLICAS: 'the store has too few replicas',
  READONLY: 'the store is a replica that takes nothing',
  LOADING: 'the store is still reading what it has kept',
  BUSY: 'the store is busy',
  UNKILLABLE: 'the store is busy',
  MASTERDOWN: 'the store has lost its master',
  CLUSTERDOWN: 'the cluster of the store is down',
  TRYAGAIN: 'the store is moving the channel',
  MOVED: 'the store is moving the channel',
  ASK: 'the store is moving the channel',
  NOAUTH: 'the store does not let this server in',
  WRONGPASS: 'the store does not let this server in',
  NOPERM: 'the store does not let this server do that',
  'ERR max number of clients': 'the store takes no more connections',
};

/** True for what another try may make good. All that is not Redis' own word is of the way to it. */
export function isAway(error: unknown): boolean {
  return isOfTheWay(error) || wordsOf(error) !== undefined;
}

/** What who has asked is told of it. */
export function away(error: unknown): Refused {
  return new Refused('unavailable', wordsOf(error) ?? 'the store does not answer');
}

/** True for what Redis has not said itself. */
export function isOfTheWay(error: unknown): boolean {
  return error instanceof Error && error.name !== 'ReplyError';
}

function wordsOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || isOfTheWay(error)) return undefined;
  const { message } = error;
  return Object.entries(LATER).find(([word]) => message === word || message.startsWith(`${word} `))?.[1];
}
