import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Visit } from '../../core/session/session.js';
import type { Wish } from '../../core/streams/follow.js';
import { followMany } from '../../core/streams/follow.js';
import { CHANNEL_RULE, isChannel } from '../../protocol/channel.js';
import { formatOffset, parseOffset } from '../../protocol/offset.js';
import type { Bye } from '../../protocol/pushes.js';
import { Refused } from '../../protocol/refused.js';
import { BEGINNING, NOW } from '../../protocol/version.js';
import type { Cursor } from '../../transport/http/cursor.js';
import { fingerprint, parseCursor } from '../../transport/http/cursor.js';
import { EnvelopeEventStream } from '../../transport/http/envelope-events.js';
import type { EnvelopeText } from '../../transport/http/envelopes.js';
import { envelopeTexts } from '../../transport/http/envelopes.js';
import type { Gathered } from '../../transport/http/long-poll.js';
import { LongPoll } from '../../transport/http/long-poll.js';
import { Positions } from '../../transport/http/positions.js';
import type { Earshot } from '../earshot.js';
import { preflight } from '../routes/cors.js';
import { refuseOtherMethods } from '../routes/methods.js';
import type { Admitted } from './askers.js';
import { admitAll } from './askers.js';
import { beginOn, carry, refusalOf, sendHead, untilBegun, untilGathered } from './live.js';

const PATH = '/v1/read';
const CROSSING = { methods: 'GET', headers: 'authorization, last-event-id' };
const MAX_ENVELOPES = 1000;
/** A reader that doesn't wait asks again in its own time: it stays a member of its channels as if it waited so long. */
const POLL_COUNTS_AS_MS = 15_000;
const KNOWN = new Set(['channel', 'offset', 'cursor', 'waitMs', 'presence', 'token']);

/** What a request asks for. */
interface Asked {
  readonly cursor: Cursor;
  readonly wishes: readonly Wish[];
  readonly waitMs: number;
  readonly presence: boolean;
}

/** `/v1/read`: several channels over plain HTTP, as the envelopes that a WebSocket carries. */
export async function readRoute(scope: FastifyInstance, earshot: Earshot): Promise<void> {
  const admittedOn = admitAll(scope, earshot);
  const reader = new ChannelsReader(earshot);
  scope.get(PATH, { exposeHeadRoute: false }, async (request, reply) => {
    const asked = askedBy(request, earshot);
    if (asksForEvents(request)) return reader.events(reply, admittedOn(request), asked);
    return reader.once(reply, admittedOn(request), asked);
  });
  refuseOtherMethods(scope, PATH, ['GET']);
  preflight(scope, PATH, earshot.options, CROSSING);
}

class ChannelsReader {
  readonly #earshot: Earshot;

  constructor(earshot: Earshot) {
    this.#earshot = earshot;
  }

  /** Answers once: with what there is, or else after a wait, as soon as there is something. */
  async once(reply: FastifyReply, admitted: Admitted, asked: Asked): Promise<FastifyReply> {
    const { node } = this.#earshot;
    const positions = positionsOf(asked);
    const poll = new LongPoll<readonly EnvelopeText[]>(reply.raw, {
      waits: asked.waitMs > 0,
      sizeOf: (envelopes) => envelopes.reduce((sum, { text }) => sum + text.length, 0),
      countOf: (envelopes) => envelopes.length,
      maxBytes: node.limits.maxQueuedBytes,
      maxCount: MAX_ENVELOPES,
    });
    poll.encoding = envelopeTexts;
    const leaseMs = 2 * (asked.waitMs === 0 ? POLL_COUNTS_AS_MS : asked.waitMs);
    const session = beginOn(this.#earshot, admitted, reply, poll, visitOf(asked, admitted, leaseMs));
    await carry(reply, session, () =>
      followMany(node, session, asked.wishes, asked.presence, (channel, offset) =>
        positions.set(channel, offset),
      ),
    );
    return answer(reply, positions, await untilGathered(session, poll, asked.waitMs));
  }

  /** Goes on for as long as the response lasts. */
  async events(reply: FastifyReply, admitted: Admitted, asked: Asked): Promise<FastifyReply> {
    const positions = positionsOf(asked);
    const stream = new EnvelopeEventStream(reply.raw, positions, {
      begin: () => sendHead(reply, {}),
      closeTimeoutMs: this.#earshot.options.closeTimeoutMs,
    });
    const session = beginOn(this.#earshot, admitted, reply, stream, visitOf(asked, admitted, 0));
    await carry(reply, session, () =>
      followMany(this.#earshot.node, session, asked.wishes, asked.presence, (channel, offset) =>
        positions.set(channel, offset),
      ),
    );
    await untilBegun(this.#earshot, session, stream);
    return reply;
  }
}

/** What finds no room is left out: the cursor doesn't lead past it. */
function answer(
  reply: FastifyReply,
  positions: Positions,
  { items, reason }: Gathered<readonly EnvelopeText[]>,
): FastifyReply {
  const envelopes = items.flat().slice(0, MAX_ENVELOPES);
  for (const each of envelopes) positions.follow(each);
  if (reason === 'draining') reply.header('retry-after', String(retryAfterSeconds(envelopes.at(-1))));
  const isNothing = envelopes.length === 0 || !positions.isComplete;
  if (isNothing && reason !== undefined && reason !== 'done') throw refusalOf(reason);
  const texts = envelopes.map(({ text }) => text).join(',');
  return reply
    .headers({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    .send(`{"cursor":"${positions.cursor}","envelopes":[${texts}]}`);
}

/** A server that ends says when to come back, in its last envelope. */
function retryAfterSeconds(last: EnvelopeText | undefined): number {
  const { afterMs: [from, to] = [0, 1000] }: Partial<Bye> = JSON.parse(last?.text ?? '{}');
  return Math.ceil((from + Math.random() * (to - from)) / 1000);
}

/** The requests of one reader are one member: known by what only its cursors hold, which is shown to nobody. */
function visitOf({ cursor }: Asked, { identity }: Admitted, leaseMs: number): Visit {
  const reader = JSON.stringify([cursor.key, identity.user]); // another user is another member, whatever the cursor
  const member = createHash('sha256').update(reader).digest('hex').slice(0, 32);
  return { member, leaseMs };
}

function asksForEvents({ headers }: FastifyRequest): boolean {
  return /\btext\/event-stream\b/i.test(headers.accept ?? '');
}

/** Throws `bad_request`, `bad_channel` or `bad_offset`. */
function askedBy(request: FastifyRequest, { node, options }: Earshot): Asked {
  const query = new URLSearchParams(request.url.split('?').slice(1).join('?'));
  const unknown = [...query.keys()].find((key) => !KNOWN.has(key));
  if (unknown !== undefined)
    throw new Refused('bad_request', `unknown parameter: there are ${[...KNOWN].join(', ')}`);
  const channels = channelsIn(query, node.limits.maxSubscriptions);
  const given = request.headers['last-event-id'] ?? single(query, 'cursor');
  if (typeof given === 'object') throw new Refused('bad_request', 'Last-Event-ID is given more than once');
  const cursor =
    given === undefined ? newCursor(node.makeId()) : parseCursor(given, node.limits.maxSubscriptions);
  return {
    cursor,
    wishes: wishesOf(channels, query.getAll('offset'), cursor),
    waitMs: Math.min(waitIn(query), options.longPollTimeoutMs),
    presence: presenceIn(query),
  };
}

function channelsIn(query: URLSearchParams, max: number): string[] {
  const channels = query.getAll('channel');
  if (channels.length === 0) throw new Refused('bad_request', 'channel is missing: name one at least');
  if (channels.length > max) throw new Refused('too_many', `there are at most ${max} channels`);
  if (new Set(channels).size < channels.length)
    throw new Refused('bad_request', 'each channel is named once');
  if (!channels.every(isChannel)) throw new Refused('bad_channel', CHANNEL_RULE);
  return channels;
}

/** Where the cursor stands; in a channel that it doesn't know, where an offset says, and else at the tail. */
function wishesOf(channels: readonly string[], given: readonly string[], { offsets }: Cursor): Wish[] {
  if (given.length > 1 && given.length !== channels.length)
    throw new Refused('bad_request', 'offset is given once, or once for each channel');
  return channels.map((channel, at) => {
    const offset = given.length > 1 ? given[at] : given[0];
    return { channel, start: parseOffset(offsets.get(fingerprint(channel)) ?? offset ?? NOW) };
  });
}

/** Where it stands before anything is read; at a tail, that is to be found out. */
function positionsOf({ cursor, wishes }: Asked): Positions {
  const positions = new Positions(cursor.key, wishes.length);
  for (const { channel, start } of wishes) {
    if (start !== NOW)
      positions.set(channel, start === BEGINNING ? start : formatOffset(start.epoch, start.seq));
  }
  return positions;
}

function newCursor(id: string): Cursor {
  return { key: id.replaceAll('-', ''), offsets: new Map() };
}

function waitIn(query: URLSearchParams): number {
  const text = single(query, 'waitMs') ?? '0';
  if (!/^\d{1,9}$/.test(text)) throw new Refused('bad_request', 'waitMs is a number of milliseconds');
  return Number(text);
}

function presenceIn(query: URLSearchParams): boolean {
  const text = single(query, 'presence') ?? 'false';
  if (text !== 'true' && text !== 'false') throw new Refused('bad_request', 'presence is true or false');
  return text === 'true';
}

function single(query: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = query.getAll(name);
  if (more.length > 0) throw new Refused('bad_request', `${name} is given more than once`);
  return value;
}
