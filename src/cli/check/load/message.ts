import { createHash } from 'node:crypto';
import type { Random } from './random.js';

/** A message to be sent: its data as JSON text. */
export interface Draft {
  readonly uid: string;
  readonly text: string;
  readonly hash: string;
}

/** What in a text is often broken: characters of several bytes, line breaks of every kind, what looks like an event. */
const FILLING = 'déjà vu 👂 \u2028\u2029 \r\n\ndata: {"id":1}\n\n: " \\ </script> ';
const SIZES = [
  { share: 0.75, from: 0, to: 200 },
  { share: 0.96, from: 200, to: 4000 },
  { share: 1, from: 4000, to: 24_000 },
];

/** Mostly small, some large. */
export function draft(uid: string, random: Random): Draft {
  const drawn = random.next();
  const { from, to } = SIZES.find(({ share }) => drawn < share) ?? { from: 0, to: 0 };
  const size = random.between(from, to);
  const fill = FILLING.repeat(Math.ceil(size / FILLING.length)).slice(0, size);
  const text = JSON.stringify({ uid, fill });
  return { uid, text, hash: hashOf(text) };
}

/** Data that came, as the history has it. What is not of a check has no uid. */
export function itemOf(data: unknown): [uid: string, hash: string] {
  const uid = typeof data === 'object' && data !== null && 'uid' in data ? String(data.uid) : '';
  return [uid, hashOf(JSON.stringify(data))];
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
