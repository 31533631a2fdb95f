import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Wish } from '../../core/streams/follow.js';
import { followOne } from '../../core/streams/follow.js';
import type { Start } from '../../protocol/offset.js';
import type { Refused } from '../../protocol/refused.js';
import { NOW } from '../../protocol/version.js';
import type { ChannelStat } from '../../store/store.js';
import { ChannelEventEncoding, ChannelEventStream } from '../../transport/http/channel-events.js';
import type { Chunk, EventData } from '../../transport/http/channel-stream.js';
import { bodyOf, chunksOf, eventDataOf } from '../../transport/http/channel-stream.js';
import { nextCursor } from '../../transport/http/collapse.js';
import type { Gathered } from '../../transport/http/long-poll.js';
import { LongPoll } from '../../transport/http/long-poll.js';
import type { Earshot } from '../earshot.js';
import { cachingOf, isPublic, standingHeaders } from './answers.js';
import type { Admitted } from './askers.js';
import { beginOn, carry, parameter, refusalOf, sendHead, untilBegun, untilGathered } from './live.js';

/** Where a long-poll ends. */
interface Place {
  readonly channel: string;
  readonly start: Start;
  readonly stat: ChannelStat;
  readonly offset: string;
  /** That the reader came with. */
  readonly cursor: string | undefined;
}

/** One channel to those that wait: the live modes of Durable Streams, §5.7 and §5.8. */
export class ChannelFollower {
  readonly #earshot: Earshot;
  /** Shared by all readers of a kind, so that what they get is printed once. */
  readonly #encodings: Record<EventData, ChannelEventEncoding>;

  constructor(earshot: Earshot) {
    this.#earshot = earshot;
    const encoding = (data: EventData) => new ChannelEventEncoding(data, () => this.#cursor(undefined));
    this.#encodings = { json: encoding('json'), text: encoding('text'), base64: encoding('base64') };
  }

  /** Answers once: with what follows the offset, as soon as there is something. */
  async longPoll(
    request: FastifyRequest,
    reply: FastifyReply,
    admitted: Admitted,
    wish: Wish,
  ): Promise<FastifyReply> {
    const { node, options } = this.#earshot;
    const cursor = parameter(request, 'cursor');
    const poll = new LongPoll<Chunk>(reply.raw, {
      waits: true,
      sizeOf: ({ bytes }) => bytes.length,
      countOf: () => 1,
      maxBytes: node.limits.maxQueuedBytes,
      maxCount: Number.POSITIVE_INFINITY,
    });
    const session = beginOn(this.#earshot, admitted, reply, poll);
    const found: { stat?: ChannelStat } = {};
    const subscription = await carry(reply, session, () =>
      followOne(node, session, wish, (stat) => {
        found.stat = stat;
        poll.encoding = chunksOf(stat.contentType);
      }),
    );
    const gathered = await untilGathered(session, poll, options.longPollTimeoutMs);
    const { stat } = found;
    if (stat === undefined) throw refusalOf(gathered.reason ?? '');
    const offset = gathered.items.at(-1)?.offset ?? subscription?.offset ?? stat.offset;
    return this.#answer(reply, { ...wish, stat, offset, cursor }, gathered);
  }

  #answer(
    reply: FastifyReply,
    { stat, offset, channel, start, cursor }: Place,
    { items, upToDate, reason }: Gathered<Chunk>,
  ): FastifyReply {
    const closed = reason === 'done';
    if (reason !== undefined && !closed) throw refusalAfter(reason, items, reply);
    const hasNews = items.some(({ bytes }) => bytes.length > 0);
    const mayBeKept = hasNews && start !== NOW; // "now" is another place for whoever asks later
    reply.headers({
      'cache-control': mayBeKept ? cachingOf(isPublic(this.#earshot, channel, 'subscribe')) : 'no-store',
      ...standingHeaders({ offset, upToDate: upToDate || !hasNews, closed }),
      ...(!closed && { 'stream-cursor': String(this.#cursor(cursor)) }),
    });
    if (!hasNews) return reply.code(204).send();
    return reply.header('content-type', stat.contentType).send(bodyOf(stat.contentType, items));
  }

  /** Goes on for as long as the response lasts. */
  async events(
    request: FastifyRequest,
    reply: FastifyReply,
    admitted: Admitted,
    wish: Wish,
  ): Promise<FastifyReply> {
    const cursor = parameter(request, 'cursor');
    const headers: Record<string, string> = {};
    const stream = new ChannelEventStream(reply.raw, {
      begin: () => sendHead(reply, headers),
      closeTimeoutMs: this.#earshot.options.closeTimeoutMs,
      standsAt: () => [...session.subscriptions.values()][0]?.offset ?? '',
    });
    const session = beginOn(this.#earshot, admitted, reply, stream);
    await carry(reply, session, () =>
      followOne(this.#earshot.node, session, wish, ({ contentType }) => {
        const kind = eventDataOf(contentType);
        if (kind === 'base64') headers['stream-sse-data-encoding'] = 'base64';
        stream.prints(this.#encodingFor(kind, cursor));
      }),
    );
    await untilBegun(this.#earshot, session, stream);
    return reply;
  }

  /** Who has a cursor of now or later gets later ones, and so an encoding of its own. */
  #encodingFor(kind: EventData, given: string | undefined): ChannelEventEncoding {
    const least = this.#cursor(given);
    if (least === this.#cursor(undefined)) return this.#encodings[kind];
    return new ChannelEventEncoding(kind, () => Math.max(least, this.#cursor(undefined)));
  }

  #cursor(given: string | undefined): number {
    const { node } = this.#earshot;
    return nextCursor(given, node.now(), node.random());
  }
}

/** A server that ends says when to come back. */
function refusalAfter(reason: string, items: readonly Chunk[], reply: FastifyReply): Refused {
  const afterMs = items.find((item) => item.afterMs !== undefined)?.afterMs;
  if (afterMs !== undefined) {
    const [from, to] = afterMs;
    reply.header('retry-after', String(Math.ceil((from + Math.random() * (to - from)) / 1000)));
  }
  return refusalOf(reason);
}
