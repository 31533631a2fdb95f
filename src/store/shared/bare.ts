import type { Start } from '../../protocol/offset.js';
import type { Creation } from '../creation.js';
import type { NewMessage } from '../message.js';
import type { AppendOptions, ReadBound } from '../store.js';

// What callers hand over may be objects of theirs with more in them, which could not go to another process, or should
// not: of each only what a store is told.

export function bareStart(start: Start): Start {
  return typeof start === 'string' ? start : { epoch: start.epoch, seq: start.seq };
}

export function bareBound({ messages, bytes }: ReadBound): ReadBound {
  return { messages, bytes };
}

/** As it is now, whatever is done to its bytes later. */
export function bareMessage({ from, data, meta }: NewMessage): NewMessage {
  return { from, data: typeof data === 'string' ? data : Uint8Array.from(data), meta };
}

export function bareOptions({ contentType, producer, order, closes, creates }: AppendOptions): AppendOptions {
  return {
    ...(contentType !== undefined && { contentType }),
    ...(producer && { producer: { id: producer.id, epoch: producer.epoch, seq: producer.seq } }),
    ...(order !== undefined && { order }),
    ...(closes !== undefined && { closes }),
    ...(creates !== undefined && { creates }),
  };
}

export function bareCreation({ contentType, lifetime, messages, closed, fork, whole }: Creation): Creation {
  return {
    ...(contentType !== undefined && { contentType }),
    ...(lifetime && { lifetime: { ttlSeconds: lifetime.ttlSeconds, expiresAt: lifetime.expiresAt } }),
    ...(messages && { messages: messages.map(bareMessage) }),
    ...(closed !== undefined && { closed }),
    ...(fork && {
      fork: { source: fork.source, start: fork.start && bareStart(fork.start), skip: fork.skip },
    }),
    ...(whole !== undefined && { whole }),
  };
}
