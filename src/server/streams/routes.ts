import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { append } from '../../core/streams/append.js';
import { create, describe, readPage, remove } from '../../core/streams/manage.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { BEGINNING, NOW } from '../../protocol/version.js';
import type { Page } from '../../store/store.js';
import { chunksOf, bodyOf as joined } from '../../transport/http/channel-stream.js';
import type { Earshot } from '../earshot.js';
import { preflight } from '../routes/cors.js';
import { hook } from '../routes/hook.js';
import { refuseOtherMethods } from '../routes/methods.js';
import {
  cachingOf,
  etagOf,
  explainRefusal,
  isKnown,
  isPublic,
  standingHeaders,
  statHeaders,
} from './answers.js';
import type { Admitted } from './askers.js';
import { admitAll } from './askers.js';
import { ChannelFollower } from './follow.js';
import { parameter } from './live.js';
import {
  asksToClose,
  bodyOf,
  channelOf,
  creationOf,
  isPlainType,
  orderOf,
  producerOf,
  typeOfAppend,
} from './request.js';

const PATH = '/v1/stream/';
const CROSSING = {
  methods: 'GET, HEAD, POST, PUT, DELETE',
  headers: [
    'authorization',
    'content-type',
    'if-none-match',
    'last-event-id',
    'producer-epoch',
    'producer-id',
    'producer-seq',
    'stream-closed',
    'stream-expires-at',
    'stream-fork-offset',
    'stream-fork-sub-offset',
    'stream-forked-from',
    'stream-seq',
    'stream-ttl',
  ].join(', '),
};
/** What a page of another origin may read of an answer. */
const EXPOSED = [
  'etag',
  'location',
  'producer-epoch',
  'producer-expected-seq',
  'producer-received-seq',
  'producer-seq',
  'retry-after',
  'stream-closed',
  'stream-cursor',
  'stream-expires-at',
  'stream-next-offset',
  'stream-sse-data-encoding',
  'stream-ttl',
  'stream-up-to-date',
].join(', ');

type StreamRequest = FastifyRequest<{ Params: { '*': string } }>;

/** `/v1/stream/{channel}`: a channel as a stream of the Durable Streams protocol, version 1. */
export async function streamRoutes(scope: FastifyInstance, earshot: Earshot): Promise<void> {
  const admittedOn = admitAll(scope, earshot);
  const streams = new Streams(earshot, `${scope.prefix}${PATH}`);
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const { maxBodyBytes } = earshot.options.limits;
  scope.addHook(
    'onRequest',
    hook((request, reply) => {
      if (request.raw.headers.origin !== undefined) reply.header('access-control-expose-headers', EXPOSED);
      letBodyCome(request);
      earshot.bodies.keepRoom(request, reply, maxBodyBytes);
      return undefined;
    }),
  );
  const options = { bodyLimit: maxBodyBytes, exposeHeadRoute: false };
  const route =
    (handle: (request: StreamRequest, reply: FastifyReply, admitted: Admitted) => Promise<FastifyReply>) =>
    async (request: StreamRequest, reply: FastifyReply) => {
      try {
        return await handle.call(streams, request, reply, admittedOn(request));
      } catch (error) {
        throw explainRefusal(error, reply);
      }
    };
  scope.get(`${PATH}*`, options, route(streams.read));
  scope.head(`${PATH}*`, options, route(streams.describe));
  scope.put(`${PATH}*`, options, route(streams.create));
  scope.post(`${PATH}*`, options, route(streams.append));
  scope.delete(`${PATH}*`, options, route(streams.remove));
  refuseOtherMethods(scope, `${PATH}*`, ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);
  preflight(scope, `${PATH}*`, earshot.options, CROSSING);
}

/** Fastify refuses a type that it can't read, also where there is no body; over HTTP/2 a body need not tell its length. */
function letBodyCome(request: FastifyRequest): void {
  const { headers, httpVersionMajor } = request.raw;
  const isPlain = httpVersionMajor === 1 && (headers['content-type'] === undefined || isPlainType(headers));
  if (isPlain) return; // what is set here is merged with the rest each time that somebody looks
  request.headers = {
    'content-type': undefined,
    ...(httpVersionMajor > 1 && { 'transfer-encoding': 'chunked' }),
  };
}

class Streams {
  readonly #earshot: Earshot;
  readonly #base: string;
  readonly #follower: ChannelFollower;

  constructor(earshot: Earshot, base: string) {
    this.#earshot = earshot;
    this.#base = base;
    this.#follower = new ChannelFollower(earshot);
  }

  async create(request: StreamRequest, reply: FastifyReply, admitted: Admitted): Promise<FastifyReply> {
    const channel = channelOf(request.params['*']);
    const made = await create(
      this.#earshot.node,
      admitted,
      creationOf(request.raw, request.body, channel, this.#base),
    );
    reply.headers({
      'content-type': made.contentType,
      'stream-next-offset': made.offset,
      ...(made.tail.closed && { 'stream-closed': 'true' }),
      ...(made.created && { location: `${request.protocol}://${request.host}${this.#base}${channel}` }),
    });
    return reply.code(made.created ? 201 : 200).send();
  }

  async append(request: StreamRequest, reply: FastifyReply, admitted: Admitted): Promise<FastifyReply> {
    const { headers } = request.raw;
    const body = bodyOf(headers, request.body);
    const producer = producerOf(headers);
    const appended = await append(this.#earshot.node, admitted, {
      channel: channelOf(request.params['*']),
      contentType: typeOfAppend(headers, body),
      body,
      producer,
      order: orderOf(headers),
      closes: asksToClose(headers),
    });
    const isNews = producer !== undefined && body.length > 0 && !appended.duplicate;
    reply.headers({
      'stream-next-offset': appended.offset,
      ...(appended.closed && { 'stream-closed': 'true' }),
      ...(producer !== undefined && {
        'producer-epoch': String(producer.epoch),
        'producer-seq': String(appended.producerSeq ?? producer.seq),
      }),
    });
    return reply.code(isNews ? 200 : 204).send();
  }

  async remove(request: StreamRequest, reply: FastifyReply, admitted: Admitted): Promise<FastifyReply> {
    await remove(this.#earshot.node, admitted, channelOf(request.params['*']));
    return reply.code(204).send();
  }

  async describe(request: StreamRequest, reply: FastifyReply, admitted: Admitted): Promise<FastifyReply> {
    const stat = await describe(this.#earshot.node, admitted, channelOf(request.params['*']));
    return reply.headers(statHeaders(stat)).send();
  }

  async read(request: StreamRequest, reply: FastifyReply, admitted: Admitted): Promise<FastifyReply> {
    const channel = channelOf(request.params['*']);
    const live = parameter(request, 'live');
    const resumed = live === 'sse' ? lastEventIdOf(request) : undefined;
    const asked = resumed ?? parameter(request, 'offset');
    if (live === undefined) return this.#catchUp(request, reply, admitted, channel, asked ?? BEGINNING);
    if (asked === undefined) throw new Refused('bad_offset', 'a live mode needs an offset');
    const wish = { channel, start: parseOffset(asked) };
    if (live === 'long-poll') return this.#follower.longPoll(request, reply, admitted, wish);
    if (live === 'sse') return this.#follower.events(request, reply, admitted, wish);
    throw new Refused('bad_request', 'live is "long-poll" or "sse"');
  }

  async #catchUp(
    request: StreamRequest,
    reply: FastifyReply,
    admitted: Admitted,
    channel: string,
    asked: string,
  ): Promise<FastifyReply> {
    const { stat, page } = await readPage(this.#earshot.node, admitted, channel, asked);
    const { contentType } = stat;
    reply.headers({
      'content-type': contentType,
      'cache-control': this.#cachingOf(page, channel, asked),
      ...standingHeaders(page),
    });
    if (asked !== NOW) {
      const etag = etagOf(page);
      reply.header('etag', etag);
      if (isKnown(etag, request.headers['if-none-match'])) return reply.code(304).send();
    }
    admitted.telemetry.messagesOut('poll', page.messages.length);
    return reply.send(
      joined(contentType, [chunksOf(contentType).messages(channel, page.messages, page.upToDate)]),
    );
  }

  /** A page that is full never changes; one that reaches the tail is to be asked for again. */
  #cachingOf({ upToDate }: Page, channel: string, asked: string): string {
    if (asked === NOW) return 'no-store';
    const readable = isPublic(this.#earshot, channel, 'history');
    return upToDate ? `${readable ? 'public' : 'private'}, no-cache` : cachingOf(readable);
  }
}

/** Where an EventSource goes on. Elsewhere the header is nothing: what caches keep of an answer is known by its URL. */
function lastEventIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'];
  if (typeof id === 'object') throw new Refused('bad_request', 'Last-Event-ID is given more than once');
  return id;
}
