import type { Setting } from './catalog.js';

const MAX_SHOWN = 40;

/** What a text says of a setting that can't be. Its message names neither. */
export class TextError extends Error {
  override readonly name = 'TextError';
}

/** What a text, of a variable or a file or a flag, says of a setting. Throws a TextError in words. */
export function fromText({ kind, canBeOff }: Setting, text: string): unknown {
  switch (kind) {
    case 'number':
      return numberFrom(text);
    case 'boolean':
      return booleanFrom(text);
    case 'list':
      return listFrom(text) ?? text.split(',').map((item) => item.trim());
    case 'texts':
      return listFrom(text) ?? text;
    case 'json':
      return jsonFrom(text);
    default:
      return canBeOff && text === 'false' ? false : text;
  }
}

function numberFrom(text: string): number {
  if (/^[+-]?\d+(\.\d+)?$/.test(text.trim())) return Number(text);
  throw new TextError(`${shown(text)} is not a number`);
}

function booleanFrom(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (word === 'true' || word === '1') return true;
  if (word === 'false' || word === '0') return false;
  throw new TextError(`${shown(text)} is neither true nor false`);
}

/** A list may be written as JSON; undefined for any other text. */
function listFrom(text: string): readonly string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    const isTexts = Array.isArray(list) && list.every((item) => typeof item === 'string');
    return isTexts ? list : undefined;
  } catch {
    return undefined; // a text that only begins like one
  }
}

/** What the parser says would show some of the text, in which there may be secrets. */
function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TextError('it is not JSON');
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}
