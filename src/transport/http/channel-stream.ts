import type { Encoding } from '../../core/carrier.js';
import { isJsonType, mediaTypeOf } from '../../protocol/media.js';
import type { MessageData, StoredMessage } from '../../store/message.js';

/** A stretch of a channel: the bytes of its messages, and the offset after them. Or when to come back. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly offset: string | undefined;
  readonly afterMs?: readonly [number, number] | undefined;
}

/** Stretches of channels of JSON: values with commas between them. */
export const jsonChunks: Encoding<Chunk> = chunks((messages) => Buffer.from(messages.map(textOf).join(',')));

/** Stretches of channels of bytes. */
export const byteChunks: Encoding<Chunk> = chunks(bytesOf);

export function chunksOf(contentType: string): Encoding<Chunk> {
  return isJsonType(contentType) ? jsonChunks : byteChunks;
}

/** Chunks as the body of an answer (Durable Streams §9.1.5). */
export function bodyOf(contentType: string, pieces: readonly Chunk[]): Buffer {
  const bytes = pieces.map((piece) => piece.bytes).filter(({ length }) => length > 0);
  if (!isJsonType(contentType)) return Buffer.concat(bytes);
  const comma = Buffer.from(',');
  const joined = bytes.flatMap((each, at) => (at === 0 ? [each] : [comma, each]));
  return Buffer.concat([Buffer.from('['), ...joined, Buffer.from(']')]);
}

/** How the messages of a channel go in an event (Durable Streams §5.8). */
export type EventData = 'json' | 'text' | 'base64';

export function eventDataOf(contentType: string): EventData {
  if (isJsonType(contentType)) return 'json';
  return mediaTypeOf(contentType).startsWith('text/') ? 'text' : 'base64';
}

/** Messages as the data of one event. */
export function printData(kind: EventData, messages: readonly StoredMessage[]): string {
  if (kind === 'json') return `[${messages.map(textOf).join(',')}]`;
  return bytesOf(messages).toString(kind === 'text' ? 'utf8' : 'base64');
}

function chunks(print: (messages: readonly StoredMessage[]) => Uint8Array): Encoding<Chunk> {
  return {
    messages: (_channel, messages) => ({ bytes: print(messages), offset: messages.at(-1)?.offset }),
    push: (push) =>
      push.type === 'bye' ? { bytes: Buffer.alloc(0), offset: undefined, afterMs: push.afterMs } : undefined,
    reply: () => undefined,
  };
}

function textOf({ data }: { readonly data: MessageData }): string {
  if (typeof data !== 'string') throw new Error('a channel of JSON holds bytes');
  return data;
}

function bytesOf(messages: readonly StoredMessage[]): Buffer {
  return Buffer.concat(messages.map(({ data }) => (typeof data === 'string' ? Buffer.from(data) : data)));
}
