/** The type of a channel that a publish makes: its messages are JSON values, each by itself. */
export const JSON_TYPE = 'application/json';

/** A media type without its parameters, in lower case (RFC 9110 §8.3.1): what is compared. */
export function mediaTypeOf(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** True where both name the same media type, whatever their parameters. */
export function isSameType(one: string, other: string): boolean {
  return one === other || mediaTypeOf(one) === mediaTypeOf(other);
}

/** True where messages are JSON values, and not bytes without borders of their own (Durable Streams §9.1). */
export function isJsonType(contentType: string): boolean {
  return mediaTypeOf(contentType) === JSON_TYPE;
}
