import { isJsonType } from '../protocol/media.js';
import type { Position, Start } from '../protocol/offset.js';
import { formatOffset } from '../protocol/offset.js';
import { Refused } from '../protocol/refused.js';
import { BEGINNING, NOW } from '../protocol/version.js';
import type { Fork } from './creation.js';
import type { Inheritance } from './inheritance.js';
import type { MemoryLog } from './memory-log.js';
import type { NewMessage, StoredMessage } from './message.js';

/** What a fork takes over from its source. Throws `bad_offset` for a place that the source doesn't have, and `gone`. */
export function inherit(
  source: MemoryLog,
  { source: name, start = NOW, skip = 0 }: Fork,
  now: number,
): Inheritance {
  const { startSeq, messages } = source.kept(now);
  const anchorSeq = start === BEGINNING ? startSeq : seqIn(source, start);
  if (anchorSeq < startSeq) throw new Refused('gone', 'what stood at that offset is no longer kept');
  const { seq, part } = skipFrom(anchorSeq, messages.slice(anchorSeq - startSeq), skip, unitOf(source));
  return {
    source: name,
    lifetime: source.config.lifetime,
    asked: { places: new Set([placeText(start), source.offsetAt(anchorSeq)]), skip },
    startSeq,
    messages: messages.slice(0, seq - startSeq),
    stretches: source.epochs.upTo(seq),
    part,
  };
}

/** True where the same fork is asked for. */
export function isSameFork(inherited: Inheritance | undefined, fork: Fork): boolean {
  if (inherited === undefined) return false;
  const { source, asked } = inherited;
  const place = placeText(fork.start ?? NOW);
  return source === fork.source && asked.places.has(place) && asked.skip === (fork.skip ?? 0);
}

function placeText(start: Start): string {
  return typeof start === 'string' ? start : formatOffset(start.epoch, start.seq);
}

function seqIn(source: MemoryLog, start: Position | typeof NOW): number {
  if (start === NOW) return source.tail.seq;
  if (!source.epochs.has(start, source.tail.seq))
    throw new Refused('bad_offset', 'that offset is none of the source');
  return start.seq;
}

/** What a step of the sub-offset is: a message of JSON, else a byte. */
function unitOf(source: MemoryLog): (message: StoredMessage) => number {
  return isJsonType(source.config.contentType) ? () => 1 : ({ data }) => data.length;
}

/** On from a place; of the last message it may be a part. */
function skipFrom(
  anchorSeq: number,
  following: readonly StoredMessage[],
  skip: number,
  sizeOf: (message: StoredMessage) => number,
): { seq: number; part: NewMessage | undefined } {
  let seq = anchorSeq;
  let left = skip;
  for (const message of following) {
    if (left === 0) break;
    const size = sizeOf(message);
    if (left < size) return { seq, part: { ...message, data: message.data.slice(0, left) } };
    left -= size;
    seq = message.seq;
  }
  if (left > 0) throw new Refused('bad_offset', 'the sub-offset lies beyond the end of the source');
  return { seq, part: undefined };
}
