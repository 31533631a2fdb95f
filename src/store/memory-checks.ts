import type { Producer } from '../protocol/commands.js';
import { JSON_TYPE } from '../protocol/media.js';
import { Refused } from '../protocol/refused.js';
import type { Creation } from './creation.js';
import { isSameFork } from './memory-fork.js';
import type { MemoryLog } from './memory-log.js';
import type { Appended, Created } from './store.js';

/** The answer to a creation. */
export function created(log: MemoryLog, isNew: boolean): Created {
  const { tail, config } = log;
  return { created: isNew, tail, offset: log.offsetAt(tail.seq), contentType: config.contentType };
}

/** The answer to an append. */
export function appended(
  log: MemoryLog,
  offset: string,
  duplicate: boolean,
  producer: Producer | undefined,
): Appended {
  const producerSeq = producer && log.producers.lastSeq(producer);
  return { offset, duplicate, closed: log.closed, ...(producerSeq !== undefined && { producerSeq }) };
}

/** Throws `conflict` for messages of another type than the channel's. */
export function checkType(log: MemoryLog, contentType: string): void {
  if (!log.isOfType(contentType))
    throw new Refused('conflict', `the channel is of type ${log.config.contentType}`);
}

/** Throws `conflict` where the writers' own sequence does not go on. */
export function checkOrder({ lastOrder }: MemoryLog, order: string): void {
  if (lastOrder === undefined || Buffer.compare(Buffer.from(order), Buffer.from(lastOrder)) > 0) return;
  throw new Refused('conflict', `the last of the writers' sequence was "${lastOrder}"`);
}

/** Throws `conflict` where what is there is not what is asked for. */
export function checkSame(log: MemoryLog, { contentType, lifetime, closed = false, fork }: Creation): void {
  const { inherited, lifetime: own } = log.config;
  const isForkOf = fork === undefined ? inherited === undefined : isSameFork(inherited, fork);
  const isOfType = log.isOfType(contentType ?? (fork === undefined ? JSON_TYPE : log.config.contentType));
  const asked = lifetime ?? inherited?.lifetime ?? {};
  const livesAsLong = asked.ttlSeconds === own.ttlSeconds && asked.expiresAt === own.expiresAt;
  if (isForkOf && isOfType && livesAsLong && log.closed === closed) return;
  throw new Refused('conflict', 'the channel exists, and is not what is asked for');
}
