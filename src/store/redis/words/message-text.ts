import { outlineJson } from '../../../protocol/json-text.js';

/** Deeper than what any server takes, and far from what a parser does not. */
const MAX_DEPTH = 1000;

/** True for a JSON text that may go to clients as it stands. Whoever can write to Redis could have put another one there. */
export function isMessageText(text: string): boolean {
  if (outlineJson(text).depth > MAX_DEPTH) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
