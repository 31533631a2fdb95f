/** JSON text, byte for byte as it was published; on a channel of another type, bytes. Never changed once stored. */
export type MessageData = string | Uint8Array;

/** One message of a log. Never changed once it is stored. */
export interface StoredMessage {
  /** Its number in this life of the channel; the first is 1, and each next is one more. */
  readonly seq: number;
  /** The position after it, as peers see it. */
  readonly offset: string;
  /** The name of the publisher. */
  readonly from: string;
  /** When it was appended, in ms since 1970. */
  readonly at: number;
  readonly data: MessageData;
  /** Notes of the server beside the data: the text of a JSON object. */
  readonly meta?: string | undefined;
}

/** What a publisher hands over: the store adds offset and time. */
export interface NewMessage {
  readonly from: string;
  readonly data: MessageData;
  /** The text of a JSON object. */
  readonly meta?: string | undefined;
}

/** A message as it is now, whatever is done to its bytes later. */
export function owned(message: NewMessage): NewMessage {
  return typeof message.data === 'string' ? message : { ...message, data: Uint8Array.from(message.data) };
}
