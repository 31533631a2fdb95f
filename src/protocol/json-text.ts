/**
 * What one pass over the text of an envelope finds before it is parsed: how deep it nests,
 * and where the values of the members `data` and `id` stand. The spans mean something only
 * if the text then parses as a JSON object.
 */
export interface JsonOutline {
  /** Levels of nesting: 0 for a scalar, 1 for `{}`. */
  readonly depth: number;
  readonly data: Span | undefined;
  readonly id: Span | undefined;
}

/** From `start` up to but not including `end`, in characters. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A text that is JSON already: it is passed on as it is, not printed anew. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Outlines a JSON text without building anything from it. The depth is counted before the parse
 * because JSON.parse takes 100,000 levels that nothing after it survives; the span of `data` lets
 * the payload be stored byte for byte, never parsed and printed again.
 */
export function outlineJson(text: string): JsonOutline {
  const members: { data?: Span; id?: Span } = {};
  let depth = 0;
  let deepest = 0;
  let key: string | undefined;
  let valueStart = -1;
  let lastString: Span = { start: 0, end: 0 };

  const endMember = (end: number) => {
    if (key === 'data' || key === 'id') members[key] = trimSpan(text, valueStart, end);
    key = undefined;
  };

  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (depth === 1 && key === undefined) lastString = { start: at, end };
        at = end - 1;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++;
        if (depth > deepest) deepest = depth;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (depth === 1) endMember(at);
        depth--;
        break;
      case COLON:
        if (depth === 1 && key === undefined) {
          key = keyAt(text, lastString);
          valueStart = at + 1;
        }
        break;
      case COMMA:
        if (depth === 1) endMember(at);
        break;
    }
  }
  return { depth: deepest, data: members.data, id: members.id };
}

/**
 * The texts of the elements of a JSON array, or undefined where the text is none. What stands between the
 * commas may still be anything: parsing an element tells. Of more than `max` elements only one more is looked for.
 */
export function splitJsonArray(text: string, max = Number.POSITIVE_INFINITY): string[] | undefined {
  const { start, end } = trimSpan(text, 0, text.length);
  if (text.charCodeAt(start) !== OPEN_BRACKET || text.charCodeAt(end - 1) !== CLOSE_BRACKET) return undefined;
  const elements: string[] = [];
  let depth = 0;
  let elementStart = start + 1;
  for (let at = start + 1; at < end - 1; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at) - 1;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) depth++;
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth--;
    else if (char === COMMA && depth === 0) {
      if (elements.push(text.slice(elementStart, at)) > max) return elements;
      elementStart = at + 1;
    }
  }
  const last = text.slice(elementStart, end - 1);
  return elements.length === 0 && last.trim() === '' ? [] : [...elements, last];
}

/** A search in native code: a long string costs next to nothing. */
function endOfString(text: string, quote: number): number {
  for (let from = quote + 1; ; ) {
    const end = text.indexOf('"', from);
    if (end === -1) return text.length;
    if (!isEscaped(text, from, end)) return end + 1;
    from = end + 1;
  }
}

/** True where an odd number of backslashes stands before it; what is before `from` is another's. */
function isEscaped(text: string, from: number, at: number): boolean {
  let start = at;
  while (start > from && text.charCodeAt(start - 1) === BACKSLASH) start--;
  return (at - start) % 2 === 1;
}

/** The key in the span; its escapes count as what they stand for, as they do for JSON.parse. */
function keyAt(text: string, span: Span): string {
  const raw = text.slice(span.start + 1, span.end - 1);
  if (!raw.includes('\\')) return raw;
  try {
    return String(JSON.parse(text.slice(span.start, span.end)));
  } catch {
    return raw; // not JSON: the parse of the whole will say so
  }
}

function trimSpan(text: string, from: number, to: number): Span {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return { start, end };
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}
