import { Refused } from '../../protocol/refused.js';
import { BEGINNING } from '../../protocol/version.js';

/** Where a reader of several channels stands, and which reader it is. */
export interface Cursor {
  /** Known to this reader alone: its requests, one after the other, are one member of its channels. */
  readonly key: string;
  /** The offset in each channel, or its beginning, by what `fingerprint` makes of its name: names would make it long. */
  readonly offsets: ReadonlyMap<string, string>;
}

const VERSION = '1';
const KEY = /^[0-9a-f]{32}$/;
const ENTRY = /^([0-9a-z]{11})(?:-|([0-9a-z]{11})([0-9a-z]{1,11}))$/;
const SEQ_DIGITS = 16;
const WORD = 2 ** 32;

/** A cursor as text: opaque to peers, made of characters that need no escape in an address or a header. */
export function formatCursor({ key, offsets }: Cursor): string {
  return [VERSION, key, ...[...offsets].map(([name, offset]) => name + packed(offset))].join('.');
}

/** The cursor that a text stands for. Throws `bad_offset` for what no server ever gave out. */
export function parseCursor(text: string, maxChannels: number): Cursor {
  const [version, key = '', ...entries] = text.split('.', maxChannels + 3);
  const offsets = new Map(entries.map(unpacked));
  if (version !== VERSION || !KEY.test(key) || entries.length > maxChannels) throw badCursor();
  return { key, offsets };
}

/** What stands for a channel's name in a cursor: 48 bits of it (FNV-1a, twice), so that no two of a reader's are likely one. */
export function fingerprint(channel: string): string {
  const high = hashOf(channel, 0x811c9dc5);
  const low = hashOf(channel, 0x9dc5811c);
  return digits(high, 7) + digits(low >>> 16, 4);
}

function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function digits(value: number, count: number): string {
  return (value % WORD).toString(36).padStart(count, '0');
}

/** Epoch and number, without the zeros that offsets have for their order. The beginning has neither. */
function packed(offset: string): string {
  if (offset === BEGINNING) return '-';
  const [epoch = '', seq] = offset.split('_');
  return epoch + Number(seq).toString(36);
}

function unpacked(entry: string): [string, string] {
  const [, name, epoch, packedSeq = ''] = ENTRY.exec(entry) ?? [];
  if (name === undefined) throw badCursor();
  if (epoch === undefined) return [name, BEGINNING];
  const seq = Number.parseInt(packedSeq, 36);
  if (!Number.isSafeInteger(seq)) throw badCursor();
  return [name, `${epoch}_${String(seq).padStart(SEQ_DIGITS, '0')}`];
}

function badCursor(): Refused {
  return new Refused('bad_offset', 'a cursor is one that this server gave out');
}
