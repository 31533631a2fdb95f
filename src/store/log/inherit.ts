import { isJsonType } from '../../protocol/media.js';
import type { Position, Start } from '../../protocol/offset.js';
import { formatOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { BEGINNING, NOW } from '../../protocol/version.js';
import type { Fork } from '../creation.js';
import type { NewMessage, StoredMessage } from '../message.js';
import type { Stretch } from './epochs.js';
import type { Log } from './log.js';
import type { Ancestry } from './log-state.js';

/** What a fork begins with. */
export interface Inheritance {
  readonly ancestry: Ancestry;
  readonly stretches: readonly Stretch[];
  /** All that the source has, up to this position. */
  readonly toSeq: number;
  /** The beginning of a message that the source has whole. */
  readonly part: NewMessage | undefined;
}

/** What a fork takes over from its source. Throws `bad_offset` for a place that the source doesn't have, and `gone`. */
export function inheritance(
  source: Log,
  { source: name, start = NOW, skip = 0 }: Fork,
  now: number,
): Inheritance {
  source.trim(now);
  const { startSeq, lifetime } = source.state;
  const anchorSeq = start === BEGINNING ? startSeq : seqIn(source, start);
  if (anchorSeq < startSeq) throw new Refused('gone', 'what stood at that offset is no longer kept');
  const places = [...new Set([placeText(start), source.offsetAt(anchorSeq)])];
  const { seq, part } = skipFrom(source, anchorSeq, skip);
  return {
    ancestry: { source: name, lifetime, places, skip },
    stretches: source.epochs.upTo(seq),
    toSeq: seq,
    part,
  };
}

/** True where the same fork is asked for. */
export function isSameFork(ancestry: Ancestry | undefined, fork: Fork): boolean {
  if (ancestry === undefined) return false;
  const { source, places, skip } = ancestry;
  return source === fork.source && places.includes(placeText(fork.start ?? NOW)) && skip === (fork.skip ?? 0);
}

function placeText(start: Start): string {
  return typeof start === 'string' ? start : formatOffset(start.epoch, start.seq);
}

function seqIn(source: Log, start: Position | typeof NOW): number {
  if (start === NOW) return source.tail.seq;
  if (!source.epochs.has(start, source.tail.seq))
    throw new Refused('bad_offset', 'that offset is none of the source');
  return start.seq;
}

interface Skipped {
  readonly seq: number;
  readonly part: NewMessage | undefined;
}

/** On from a place: so many messages of JSON, else bytes. Of the last message it may be a part. */
function skipFrom(source: Log, anchorSeq: number, skip: number): Skipped {
  if (isJsonType(source.state.contentType)) return skipMessages(source, anchorSeq, skip);
  return skip === 0 ? { seq: anchorSeq, part: undefined } : skipBytes(source.entries.after(anchorSeq), skip);
}

function skipMessages({ tail }: Log, anchorSeq: number, skip: number): Skipped {
  if (anchorSeq + skip > tail.seq) throw beyond();
  return { seq: anchorSeq + skip, part: undefined };
}

function skipBytes(following: Iterable<StoredMessage>, skip: number): Skipped {
  let left = skip;
  for (const message of following) {
    const { seq, data } = message;
    if (left < data.length) return { seq: seq - 1, part: { ...message, data: data.slice(0, left) } };
    left -= data.length;
    if (left === 0) return { seq, part: undefined };
  }
  throw beyond();
}

function beyond(): Refused {
  return new Refused('bad_offset', 'the sub-offset lies beyond the end of the source');
}
