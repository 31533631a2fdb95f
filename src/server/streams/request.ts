import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { CreateRequest } from '../../core/streams/manage.js';
import { CHANNEL_RULE, isChannel } from '../../protocol/channel.js';
import type { Producer } from '../../protocol/commands.js';
import type { Start } from '../../protocol/offset.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { BEGINNING } from '../../protocol/version.js';
import type { Lifetime } from '../../store/creation.js';

export const DEFAULT_TYPE = 'application/octet-stream';

/** Names of the protocol's own (Durable Streams §6.1): no channel is reached by them here. */
const RESERVED = '__ds';
const WHOLE_NUMBER = /^(0|[1-9]\d{0,15})$/;
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+\s*(;|$)/i;
const PLAIN_TYPE = /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/i;
const MAX_TYPE_LENGTH = 200;
const MAX_NAME_LENGTH = 128;
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
/** What the protocol's reference server calls the beginning: its clients may hold it. */
const ZERO_OFFSET = /^0+_0+$/;

/** The channel that a path names. Throws `bad_channel`, and `not_found` for what the protocol keeps for itself. */
export function channelOf(path: string): string {
  if (path === RESERVED || path.startsWith(`${RESERVED}/`))
    throw new Refused('not_found', 'subscriptions of the Durable Streams protocol are not served here');
  if (!isChannel(path)) throw new Refused('bad_channel', CHANNEL_RULE);
  return path;
}

/** True where the header says so: anything but "true" is as if it weren't there (Durable Streams §4.1). */
export function asksToClose(headers: IncomingHttpHeaders): boolean {
  return textOf(headers, 'stream-closed')?.toLowerCase() === 'true';
}

/** True where the type is one that nobody could read in another way. */
export function isPlainType({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  return PLAIN_TYPE.test(type);
}

/** The type of a body. Throws `bad_request` for what is none; undefined where nothing is said. */
export function contentTypeOf(headers: IncomingHttpHeaders): string | undefined {
  const type = headers['content-type']?.trim();
  if (type === undefined || type === '') return undefined;
  if (!MEDIA_TYPE.test(type) || type.length > MAX_TYPE_LENGTH)
    throw new Refused('bad_request', 'Content-Type is not a media type');
  return type;
}

/** Who publishes, where it names itself: all three headers or none (Durable Streams §5.2.1). */
export function producerOf(headers: IncomingHttpHeaders): Producer | undefined {
  const id = textOf(headers, 'producer-id');
  const epoch = textOf(headers, 'producer-epoch');
  const seq = textOf(headers, 'producer-seq');
  if (id === undefined && epoch === undefined && seq === undefined) return undefined;
  if (id === undefined || epoch === undefined || seq === undefined)
    throw new Refused('bad_request', 'Producer-Id, Producer-Epoch and Producer-Seq come together');
  if (id === '' || id.length > MAX_NAME_LENGTH)
    throw new Refused('bad_request', `Producer-Id has 1 to ${MAX_NAME_LENGTH} characters`);
  return { id, epoch: wholeNumber('Producer-Epoch', epoch), seq: wholeNumber('Producer-Seq', seq) };
}

/** The writers' own sequence. */
export function orderOf(headers: IncomingHttpHeaders): string | undefined {
  const order = textOf(headers, 'stream-seq');
  if (order !== undefined && (order === '' || order.length > MAX_NAME_LENGTH))
    throw new Refused('bad_request', `Stream-Seq has 1 to ${MAX_NAME_LENGTH} characters`);
  return order;
}

/** What a PUT asks for. `base` is what the paths of streams begin with. */
export function creationOf(
  { headers }: IncomingMessage,
  body: unknown,
  channel: string,
  base: string,
): CreateRequest {
  const fork = forkOf(headers, base);
  const contentType = contentTypeOf(headers) ?? (fork === undefined ? DEFAULT_TYPE : undefined);
  return {
    channel,
    contentType,
    lifetime: lifetimeOf(headers, fork !== undefined),
    body: bodyOf(headers, body),
    closed: asksToClose(headers),
    fork,
  };
}

/** The body as it came; empty where there was none. Throws `unsupported_media` where it came compressed. */
export function bodyOf(headers: IncomingHttpHeaders, body: unknown): Uint8Array {
  const encoding = textOf(headers, 'content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity')
    throw new Refused('unsupported_media', 'a body is taken as it is, without a Content-Encoding');
  return body instanceof Uint8Array ? body : new Uint8Array();
}

/** Throws `bad_request` where a type is given with a body that isn't what is appended. */
export function typeOfAppend(headers: IncomingHttpHeaders, body: Uint8Array): string {
  const type = body.length === 0 ? DEFAULT_TYPE : contentTypeOf(headers);
  if (type === undefined) throw new Refused('bad_request', 'a body needs a Content-Type');
  return type;
}

function forkOf(headers: IncomingHttpHeaders, base: string): CreateRequest['fork'] {
  const from = textOf(headers, 'stream-forked-from');
  const offset = textOf(headers, 'stream-fork-offset');
  const skip = textOf(headers, 'stream-fork-sub-offset');
  if (from === undefined) {
    if (offset !== undefined || skip !== undefined)
      throw new Refused('bad_request', 'Stream-Fork-Offset and -Sub-Offset come with Stream-Forked-From');
    return undefined;
  }
  const path = decoded(from);
  if (!path.startsWith(base)) throw new Refused('bad_request', `Stream-Forked-From begins with ${base}`);
  return {
    source: channelOf(path.slice(base.length)),
    start: offset === undefined ? undefined : startOfFork(offset),
    skip: skip === undefined ? 0 : wholeNumber('Stream-Fork-Sub-Offset', skip),
  };
}

function startOfFork(offset: string): Start {
  return ZERO_OFFSET.test(offset) ? BEGINNING : parseOffset(offset);
}

function lifetimeOf(headers: IncomingHttpHeaders, isFork: boolean): Lifetime | undefined {
  const ttl = textOf(headers, 'stream-ttl');
  const end = textOf(headers, 'stream-expires-at');
  if (ttl !== undefined && end !== undefined)
    throw new Refused('bad_request', 'Stream-TTL and Stream-Expires-At exclude each other');
  if (ttl !== undefined) return { ttlSeconds: wholeNumber('Stream-TTL', ttl) };
  if (end !== undefined) return { expiresAt: moment(end) };
  return isFork ? undefined : {};
}

function moment(text: string): number {
  const at = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new Refused('bad_request', 'Stream-Expires-At is a time as RFC 3339 has it');
  return at;
}

function wholeNumber(header: string, text: string): number {
  const value = WHOLE_NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new Refused('bad_request', `${header} is a whole number, 0 or more`);
  return value;
}

/** A header that was given once. Node joins those that were given several times, or keeps the first. */
function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value.trim() : undefined;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Refused('bad_request', 'Stream-Forked-From is not a path');
  }
}
