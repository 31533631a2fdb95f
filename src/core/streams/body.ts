import { outlineJson, splitJsonArray } from '../../protocol/json-text.js';
import { isJsonType, mediaTypeOf } from '../../protocol/media.js';
import { Refused } from '../../protocol/refused.js';
import type { MessageData } from '../../store/message.js';
import type { Limits } from '../limits.js';
import { MAX_BATCH_MESSAGES } from '../limits.js';

/** One message of a body: its value, and how it came. */
export interface Item {
  readonly data: unknown;
  readonly given: MessageData;
}

/**
 * The messages that a body stands for, by the type of the channel (Durable Streams §9.1). None where it is empty. Each is
 * looked at when it is asked for: that throws where it is none.
 */
export function* itemsOf(contentType: string, body: Uint8Array, limits: Limits): Iterable<Item> {
  if (body.length === 0) return;
  if (isJsonType(contentType)) {
    for (const text of jsonTexts(body, limits)) yield jsonItem(text, limits);
    return;
  }
  const isText = mediaTypeOf(contentType).startsWith('text/');
  for (const piece of pieces(body, limits.maxFrameBytes, isText)) yield { data: piece, given: piece };
}

/** An array is several messages, anything else is one. */
function jsonTexts(body: Uint8Array, { maxDataDepth }: Limits): string[] {
  const text = textOf(body);
  if (outlineJson(text).depth > maxDataDepth + 1)
    throw new Refused('bad_data', `the data nests deeper than ${maxDataDepth} levels`);
  const texts = splitJsonArray(text, MAX_BATCH_MESSAGES) ?? [text.trim()];
  if (texts.length > MAX_BATCH_MESSAGES)
    throw new Refused('too_large', `a body has at most ${MAX_BATCH_MESSAGES} messages`);
  return texts;
}

function jsonItem(text: string, { maxFrameBytes, maxDataDepth }: Limits): Item {
  const given = text.trim();
  if (given.length > maxFrameBytes)
    throw new Refused('too_large', `a message has at most ${maxFrameBytes} characters`);
  const data = parsed(given);
  if (outlineJson(given).depth > maxDataDepth)
    throw new Refused('bad_data', `the data nests deeper than ${maxDataDepth} levels`);
  return { data, given };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function textOf(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new Refused('bad_request', 'the body is not UTF-8');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused('bad_request', 'the body is not JSON');
  }
}

/** Bytes have no borders of their own: they are cut so that each piece fits into a frame, text not within a character. */
function* pieces(body: Uint8Array, maxBytes: number, isText: boolean): Iterable<Uint8Array> {
  for (let start = 0; start < body.length; ) {
    let end = Math.min(start + maxBytes, body.length);
    if (isText && end < body.length) end = startOfCharacter(body, end, start + 1);
    yield body.subarray(start, end);
    start = end;
  }
}

/** At or before `at`, but not before `least`; where there are no characters, `at` itself. */
function startOfCharacter(bytes: Uint8Array, at: number, least: number): number {
  for (let start = at; start >= Math.max(least, at - 3); start--) {
    if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start;
  }
  return at;
}
