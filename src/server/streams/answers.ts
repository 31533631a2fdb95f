import type { FastifyReply } from 'fastify';
import type { Action } from '../../core/policy/action.js';
import { Refused } from '../../protocol/refused.js';
import { Closed, Fenced, OutOfSequence } from '../../store/refusals.js';
import type { ChannelStat, Page } from '../../store/store.js';
import type { Earshot } from '../earshot.js';

/** Where a reader stands after an answer. */
export interface Standing {
  readonly offset: string;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

const FULL_CHUNK = 'max-age=60, stale-while-revalidate=300';

/** The headers that tell where a reader stands (Durable Streams §5.6). */
export function standingHeaders({ offset, upToDate, closed }: Standing): Record<string, string> {
  return {
    'stream-next-offset': offset,
    ...(upToDate && { 'stream-up-to-date': 'true' }),
    ...(upToDate && closed && { 'stream-closed': 'true' }),
  };
}

/** How long what never changes may be kept: by anybody, where anybody may read it. */
export function cachingOf(isPublic: boolean): string {
  return isPublic ? `public, ${FULL_CHUNK}` : 'no-store';
}

/** True where whoever asks would get the same: what caches hold is asked for by nobody in particular. */
export function isPublic({ node, options }: Earshot, channel: string, action: Action): boolean {
  const { anonymous, hooks, verifyClient } = options;
  const isAsked = hooks.authorize ?? hooks.onConnect ?? verifyClient;
  return anonymous && isAsked === undefined && node.policy.rule(channel).anonymous.has(action);
}

/** Names a page: what begins and ends at these offsets, closed or not, is always the same. */
export function etagOf({ messages, offset, upToDate, closed }: Page): string {
  return `"${messages[0]?.offset ?? ''}:${offset}${upToDate && closed ? ':c' : ''}"`;
}

/** True where the reader has this page already (RFC 9110 §13.1.2). */
export function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  const known = ifNoneMatch?.split(',').map((each) => each.trim().replace(/^W\//, '')) ?? [];
  return known.includes(etag) || known.includes('*');
}

/** What HEAD tells of a channel (Durable Streams §5.5). */
export function statHeaders({ contentType, lifetime, offset, tail }: ChannelStat): Record<string, string> {
  const { ttlSeconds, expiresAt } = lifetime;
  return {
    'content-type': contentType,
    'cache-control': 'no-store',
    'stream-next-offset': offset,
    ...(ttlSeconds !== undefined && { 'stream-ttl': String(ttlSeconds) }),
    ...(expiresAt !== undefined && { 'stream-expires-at': new Date(expiresAt).toISOString() }),
    ...(tail.closed && { 'stream-closed': 'true' }),
  };
}

/** What a writer is told beside the problem, so that it can go on; and the status of the protocol, where ours is another. */
export function explainRefusal(error: unknown, reply: FastifyReply): unknown {
  if (error instanceof Closed) reply.headers({ 'stream-closed': 'true', 'stream-next-offset': error.offset });
  if (error instanceof Fenced) reply.header('producer-epoch', String(error.epoch));
  if (error instanceof OutOfSequence) {
    if (error.beginsEpoch) return new Refused('bad_request', 'a new epoch of a producer begins with seq 0');
    reply.headers({
      'producer-expected-seq': String(error.expected),
      'producer-received-seq': String(error.received),
    });
  }
  return error;
}
