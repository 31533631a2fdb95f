/** A name is longer than this many characters never. */
export const MAX_CHANNEL_LENGTH = 200;

/** A name has more segments than this never. */
export const MAX_CHANNEL_SEGMENTS = 8;

/** What a refused name is told. */
export const CHANNEL_RULE =
  '1 to 8 segments of A–Z a–z 0–9 _ . : @ ~ - joined by "/", at most 200 characters, no segment "." or ".."';

const SEGMENTS = /^[A-Za-z0-9_.:@~-]+(?:\/[A-Za-z0-9_.:@~-]+){0,7}$/;
const DOTS = /(?:^|\/)\.{1,2}(?:\/|$)/;

/** True where `name` is the name of a channel (docs/protocol.md, "Names"). */
export function isChannel(name: string): boolean {
  return name.length <= MAX_CHANNEL_LENGTH && SEGMENTS.test(name) && !DOTS.test(name);
}
