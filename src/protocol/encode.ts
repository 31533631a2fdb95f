import type { ErrorCode } from './codes.js';
import { ERRORS } from './codes.js';
import type { ErrorPush } from './pushes.js';

/**
 * A message as stored: `data` is its JSON text, which is spliced into what goes out and never parsed, or bytes, which
 * go as base64 (RFC 4648 §4) with `encoding` beside them.
 */
export interface EncodableMessage {
  readonly offset: string;
  readonly from: string;
  readonly at: number;
  readonly data: string | Uint8Array;
  readonly meta?: string | undefined;
}

/** A page of a log, likewise. */
export interface EncodablePage {
  readonly messages: readonly EncodableMessage[];
  readonly offset: string;
  readonly upToDate: boolean;
}

/** The text of a `message` push. */
export function encodeMessage(channel: string, message: EncodableMessage): string {
  return `{"type":"message","channel":"${channel}",${body(message)}}`;
}

/** The text of a `published` reply. */
export function encodePublished(id: number, channel: string, offset: string, duplicate: boolean): string {
  return `{"type":"published","id":${id},"channel":"${channel}","offset":"${offset}","duplicate":${duplicate}}`;
}

/** The text of a `history` reply. */
export function encodeHistory(id: number, channel: string, page: EncodablePage): string {
  return `{"type":"history","id":${id},"channel":"${channel}",${members(page)}}`;
}

/** The text of a page by itself. */
export function encodePage(page: EncodablePage): string {
  return `{${members(page)}}`;
}

function members({ messages, offset, upToDate }: EncodablePage): string {
  const texts = messages.map((message) => `{${body(message)}}`).join(',');
  return `"messages":[${texts}],"offset":"${offset}","upToDate":${upToDate}`;
}

/** Names of channels and offsets need no escapes; the name of a publisher may. */
function body(message: EncodableMessage): string {
  const meta = message.meta === undefined ? '' : `,"meta":${message.meta}`;
  return `"offset":"${message.offset}","from":${JSON.stringify(message.from)},"at":${message.at},${dataMembers(message.data)}${meta}`;
}

function dataMembers(data: string | Uint8Array): string {
  return typeof data === 'string' ? `"data":${data}` : `"data":"${toBase64(data)}","encoding":"base64"`;
}

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** An `error` push; with an id it answers that command. */
export function errorPush(
  code: ErrorCode,
  message: string,
  id?: number,
  details?: readonly string[],
): ErrorPush {
  return {
    type: 'error',
    ...(id !== undefined && { id }),
    code,
    message,
    advice: ERRORS[code].advice,
    ...(details !== undefined && { details: [...details] }),
  };
}
