import { isChannel, MAX_CHANNEL_SEGMENTS } from '../../protocol/channel.js';

/** One segment of a pattern: a name, any one segment, or the one that is the caller's own `sub`. */
type Segment =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'sub' };

/**
 * A pattern of channel names: segments joined by `/`, where `*` stands for any one segment, `{sub}` for the one
 * that is the caller's own `sub`, and a `**` at the end for any number of them, none included.
 */
export interface Pattern {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** True where it ends in `**`. */
  readonly open: boolean;
}

/** What a text that is no pattern is told. */
export const PATTERN_RULE =
  'not a pattern of channels: segments joined by "/", each a name, * or {sub}, and ** as the last';

/** Reads a pattern; undefined where the text is none. */
export function parsePattern(text: string): Pattern | undefined {
  const parts = text.split('/');
  const open = parts.at(-1) === '**';
  if (open) parts.pop();
  if (parts.length > MAX_CHANNEL_SEGMENTS) return undefined;
  const segments = parts.map(parseSegment);
  return segments.every((segment) => segment !== undefined) ? { text, segments, open } : undefined;
}

/** True where the pattern takes this channel of this caller. A `sub` is compared, never read as a pattern. */
export function matches(pattern: Pattern, channel: string, sub: string | null): boolean {
  return fits(pattern, channel, (segment) => segment === sub);
}

/** True where the pattern takes this channel of somebody, whoever that is. */
export function concerns(pattern: Pattern, channel: string): boolean {
  return fits(pattern, channel, () => true);
}

function fits({ segments, open }: Pattern, channel: string, isSub: (segment: string) => boolean): boolean {
  const parts = channel.split('/');
  if (open ? parts.length < segments.length : parts.length !== segments.length) return false;
  return segments.every((segment, at) => {
    if (segment.kind === 'name') return segment.name === parts[at];
    return segment.kind === 'any' || isSub(parts[at] ?? '');
  });
}

/** True where every channel of `inner` is one of `outer`; `{sub}` may be any. */
export function contains(outer: Pattern, inner: Pattern): boolean {
  if (inner.open && !outer.open) return false;
  const [wanted, given] = [outer.segments, inner.segments];
  if (outer.open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, at) => segment.kind !== 'name' || isName(given[at], segment.name));
}

/** The pattern of the channels that both take; undefined where there are none. */
export function overlap(a: Pattern, b: Pattern): Pattern | undefined {
  const [longer, shorter] = a.segments.length >= b.segments.length ? [a, b] : [b, a];
  if (shorter.segments.length < longer.segments.length && !shorter.open) return undefined;
  const segments: Segment[] = [];
  for (const [at, segment] of longer.segments.entries()) {
    const other = shorter.segments[at];
    if (segment.kind === 'name' && other?.kind === 'name' && segment.name !== other.name) return undefined;
    segments.push(other?.kind === 'name' ? other : segment);
  }
  const open = longer.open && shorter.open;
  return { text: printed(segments, open), segments, open };
}

/** Less than 0 where `a` is to be looked at first: what a pattern contains comes before it. */
export function bySpecificity(a: Pattern, b: Pattern): number {
  return namesIn(b) - namesIn(a) || b.segments.length - a.segments.length || Number(a.open) - Number(b.open);
}

function parseSegment(text: string): Segment | undefined {
  if (text === '*') return { kind: 'any' };
  if (text === '{sub}') return { kind: 'sub' };
  return isChannel(text) ? { kind: 'name', name: text } : undefined;
}

function isName(segment: Segment | undefined, name: string): boolean {
  return segment?.kind === 'name' && segment.name === name;
}

function namesIn({ segments }: Pattern): number {
  return segments.filter(({ kind }) => kind === 'name').length;
}

function printed(segments: readonly Segment[], open: boolean): string {
  const parts = segments.map((segment) => (segment.kind === 'name' ? segment.name : '*'));
  return [...parts, ...(open ? ['**'] : [])].join('/');
}
