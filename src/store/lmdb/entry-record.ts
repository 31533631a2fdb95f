import type { MessageData, StoredMessage } from '../message.js';

/** A message as it is written down: who, when, how many bytes came before it, what, and the notes beside it. */
export type EntryRecord = readonly [
  from: string,
  at: number,
  bytesBefore: number,
  data: MessageData,
  meta?: string,
];

export function recordOf({ from, at, data, meta }: StoredMessage, bytesBefore: number): EntryRecord {
  return meta === undefined ? [from, at, bytesBefore, data] : [from, at, bytesBefore, data, meta];
}

export function messageOf([from, at, , data, meta]: EntryRecord, seq: number, offset: string): StoredMessage {
  return { seq, offset, from, at, data, ...(meta !== undefined && { meta }) };
}
