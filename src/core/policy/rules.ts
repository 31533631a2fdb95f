import type { Pattern } from './pattern.js';
import {
  bySpecificity,
  concerns,
  contains,
  matches,
  overlap,
  PATTERN_RULE,
  parsePattern,
} from './pattern.js';
import type { ChannelRule } from './policy.js';

interface Row {
  readonly pattern: Pattern;
  readonly rule: ChannelRule;
}

const MAX_REMEMBERED = 10_000;

/** The table of rules: for each channel the one of the most specific pattern that takes it. */
export class Rules {
  readonly #rows: readonly Row[];
  readonly #found = new Map<string, Row>();

  /** `rules` has one for `**`. Throws an Error in words where a text is no pattern, or where two patterns tie. */
  constructor(rules: readonly ChannelRule[]) {
    const rows = rules.map((rule) => ({ rule, pattern: patternOf(rule) }));
    checkTies(rows.map(({ pattern }) => pattern));
    this.#rows = rows.sort((a, b) => bySpecificity(a.pattern, b.pattern));
  }

  find(channel: string): ChannelRule {
    return this.#row(channel).rule;
  }

  /** True where the channel's pattern names the caller's own `sub` and this is not it. */
  isOthers(channel: string, sub: string | null): boolean {
    return !matches(this.#row(channel).pattern, channel, sub);
  }

  #row(channel: string): Row {
    const known = this.#found.get(channel);
    if (known !== undefined) return known;
    const row = this.#rows.find(({ pattern }) => concerns(pattern, channel));
    if (row === undefined) throw new Error(`no rule takes the channel ${channel}`);
    if (this.#found.size >= MAX_REMEMBERED) this.#found.clear();
    this.#found.set(channel, row);
    return row;
  }
}

function patternOf({ pattern: text }: ChannelRule): Pattern {
  const pattern = parsePattern(text);
  if (pattern === undefined) throw new Error(`"${text}": ${PATTERN_RULE}`);
  return pattern;
}

/** Two that overlap, neither within the other, are equally specific where they do, unless a third says what holds there. */
function checkTies(patterns: readonly Pattern[]): void {
  for (const [at, a] of patterns.entries()) {
    for (const b of patterns.slice(at + 1)) {
      const shared = overlap(a, b);
      if (shared === undefined || isStrictlyWithin(a, b) || isStrictlyWithin(b, a)) continue;
      if (patterns.some((c) => c !== a && c !== b && contains(c, shared) && isStrictlyWithin(c, a, b)))
        continue;
      throw new Error(describeTie(a, b, shared));
    }
  }
}

function describeTie(a: Pattern, b: Pattern, shared: Pattern): string {
  const both = `"${a.text}" and "${b.text}"`;
  if (contains(a, b) && contains(b, a)) return `${both} stand for the same channels: leave one out`;
  return `${both} are equally specific where both apply: write one for "${shared.text}" as well`;
}

function isStrictlyWithin(inner: Pattern, ...outers: readonly Pattern[]): boolean {
  return outers.every((outer) => contains(outer, inner) && !contains(inner, outer));
}
