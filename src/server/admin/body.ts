import { outlineJson } from '../../protocol/json-text.js';
import { Refused } from '../../protocol/refused.js';

export interface Body {
  /** undefined where there is none. */
  readonly value: unknown;
  /** Of the member `data`, as it came; empty where there is none. */
  readonly dataText: string;
}

/** The object around the data is a level of its own. */
const BODY_DEPTH = 1;

/** Bounds and parses. Throws `bad_data` for what nests too deep, and `bad_envelope` for what is no JSON. */
export function readBody(text: string | undefined, maxDataDepth: number): Body {
  if (text === undefined || text === '') return { value: undefined, dataText: '' };
  const { depth, data } = outlineJson(text);
  if (depth > maxDataDepth + BODY_DEPTH) {
    throw new Refused('bad_data', `the data is nested deeper than ${maxDataDepth} levels`);
  }
  return { value: parse(text), dataText: data === undefined ? '' : text.slice(data.start, data.end) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused('bad_envelope', 'the body is not JSON', ['body: not JSON']);
  }
}
