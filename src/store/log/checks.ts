import type { Producer } from '../../protocol/commands.js';
import { isSameType, JSON_TYPE } from '../../protocol/media.js';
import { Refused } from '../../protocol/refused.js';
import type { Creation } from '../creation.js';
import type { Appended, Created } from '../store.js';
import { isSameFork } from './inherit.js';
import type { Log } from './log.js';
import type { LogState } from './log-state.js';

/** The answer to a creation. */
export function created(log: Log, isNew: boolean): Created {
  const { tail, state } = log;
  return { created: isNew, tail, offset: log.offsetAt(tail.seq), contentType: state.contentType };
}

/** The answer to an append. */
export function appended(
  log: Log,
  offset: string,
  duplicate: boolean,
  producer: Producer | undefined,
): Appended {
  const producerSeq = producer && log.producers.lastSeq(producer);
  return { offset, duplicate, closed: log.state.closed, ...(producerSeq !== undefined && { producerSeq }) };
}

/** Throws `conflict` for messages of another type than the channel's. */
export function checkType(log: Log, contentType: string): void {
  if (!log.isOfType(contentType))
    throw new Refused('conflict', `the channel is of type ${log.state.contentType}`);
}

/** Throws `conflict` where the writers' own sequence does not go on. */
export function checkOrder({ state: { lastOrder } }: Log, order: string): void {
  if (lastOrder === undefined || Buffer.compare(Buffer.from(order), Buffer.from(lastOrder)) > 0) return;
  throw new Refused('conflict', `the last of the writers' sequence was "${lastOrder}"`);
}

/** Throws `conflict` where what is there is not what is asked for. */
export function checkSame(
  {
    ancestry,
    lifetime: own,
    contentType: ownType,
    closed: isClosed,
  }: Pick<LogState, 'ancestry' | 'lifetime' | 'contentType' | 'closed'>,
  { contentType, lifetime, closed = false, fork }: Creation,
): void {
  const isForkOf = fork === undefined ? ancestry === undefined : isSameFork(ancestry, fork);
  const isOfType = isSameType(contentType ?? (fork === undefined ? JSON_TYPE : ownType), ownType);
  const asked = lifetime ?? ancestry?.lifetime ?? {};
  const livesAsLong = asked.ttlSeconds === own.ttlSeconds && asked.expiresAt === own.expiresAt;
  if (isForkOf && isOfType && livesAsLong && isClosed === closed) return;
  throw new Refused('conflict', 'the channel exists, and is not what is asked for');
}
