import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Carrier } from '../../core/carrier.js';
import { endBecauseOf } from '../../core/session/fail.js';
import type { Session, Visit } from '../../core/session/session.js';
import { isErrorCode } from '../../protocol/codes.js';
import { Refused } from '../../protocol/refused.js';
import type { EventStream } from '../../transport/http/event-stream.js';
import type { Gathered, LongPoll } from '../../transport/http/long-poll.js';
import type { Earshot } from '../earshot.js';
import { whenCut } from '../http/cut.js';
import { isGone } from '../http/response.js';
import type { Admitted } from './askers.js';

/** `no-cache` for caches that know no other word, `X-Accel-Buffering` for nginx, `no-transform` for what compresses. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
};

/** A share of the longest time: readers that came together don't all come back together. */
const SHORTEST_SHARE = 0.8;

/** A session that lasts as long as its response. Throws where one more of this caller is no longer let in. */
export function beginOn(
  { node, admission }: Earshot,
  { identity, address }: Admitted,
  { raw, request }: FastifyReply,
  carrier: Carrier,
  visit?: Visit,
): Session {
  admission.checkStill(identity, address); // once more, with nothing between it and the session
  const session = node.begin(identity, carrier, address, visit);
  raw.on('error', () => {}); // the peer is gone: 'close' follows
  raw.on('drain', () => session.drained());
  const gone = () => session.gone('closed');
  raw.once('close', gone);
  whenCut(request.raw, raw, gone);
  if (isGone(raw)) gone();
  return session;
}

/** Begins what the session is for. What stands in the way ends it, and is thrown; or told, where the head has left already. */
export async function carry<Outcome>(
  reply: FastifyReply,
  session: Session,
  work: () => Promise<Outcome>,
): Promise<Outcome | undefined> {
  try {
    return await work();
  } catch (error) {
    if (reply.sent) {
      endBecauseOf(session, error);
      return undefined;
    }
    session.gone('closed');
    throw error;
  }
}

/** Sends the head of a stream of events: from here on the response is written to by itself. */
export function sendHead(reply: FastifyReply, headers: Record<string, string>): void {
  reply.headers({ ...EVENT_STREAM_HEADERS, ...headers }).hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.raw.flushHeaders();
}

/** Waits until a stream of events has begun. Throws where it was refused before. */
export async function untilBegun(
  { node, options }: Earshot,
  session: Session,
  stream: EventStream<unknown>,
): Promise<void> {
  const reason = await stream.begun;
  if (reason !== undefined) throw refusalOf(reason);
  session.lasts(options.eventStreamMaxMs * (SHORTEST_SHARE + (1 - SHORTEST_SHARE) * node.random()));
}

/** Waits for the answer of a long-poll. The session lasts until that is taken, but nothing more comes to it. */
export async function untilGathered<Printed>(
  session: Session,
  poll: LongPoll<Printed>,
  waitMs: number,
): Promise<Gathered<Printed>> {
  if (waitMs > 0) session.lasts(waitMs);
  const gathered = await poll.gathered;
  session.leave();
  return gathered;
}

/** Why there is no answer. */
export function refusalOf(reason: string): Refused {
  if (!isErrorCode(reason)) return new Refused('unavailable', 'the response ended before it began');
  const detail =
    reason === 'gone'
      ? 'what followed that offset is no longer kept, or the channel was deleted'
      : 'the response ended before there was anything to tell';
  return new Refused(reason, detail);
}

/** The one value of a parameter; undefined where it wasn't given. Throws `bad_request` where it was given twice. */
export function parameter({ url }: FastifyRequest, name: string): string | undefined {
  const [value, ...more] = new URLSearchParams(url.split('?').slice(1).join('?')).getAll(name);
  if (more.length > 0) throw new Refused('bad_request', `${name} is given more than once`);
  return value;
}
