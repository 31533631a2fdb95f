import { randomBytes } from 'node:crypto';
import type { ResolvedOptions } from '../options/options.js';

const MAX_NAME_LENGTH = 128;

/** What a caller without a token is called. */
export function anonymousName(
  address: string,
  port: number,
  kind: ResolvedOptions['anonymousNames'],
): string {
  if (kind === 'random') return `guest-${randomBytes(4).toString('hex')}`;
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** A name ends up in lines of text: no control characters, and not without end. */
export function cleanName(name: string): string {
  return name.replace(/\p{Cc}/gu, ' ').slice(0, MAX_NAME_LENGTH);
}
