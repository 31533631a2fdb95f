import * as z from 'zod';
import { member, messageBody, reply } from './replies.js';

const channel = z.string();
const offset = z.string();
const advice = z.enum(['retry', 'refresh', 'never']);

/** The limits that a client must know. */
export const sessionLimits = z.strictObject({
  maxFrameBytes: z.int(),
  maxDataDepth: z.int(),
  maxSubscriptions: z.int(),
  commandsPerSecond: z.number(),
  commandBurst: z.int(),
  historyPage: z.int(),
});
export type SessionLimits = z.infer<typeof sessionLimits>;

/** First on every connection. */
export const welcome = z.strictObject({
  type: z.literal('welcome'),
  protocol: z.literal('earshot.v1.json'),
  session: z.string(),
  name: z.string(),
  /** Who the token says it is; null where anonymous. */
  user: z.string().nullable(),
  /** How often the server sends a WebSocket ping. */
  pingIntervalMs: z.int(),
  limits: sessionLimits,
});
export type Welcome = z.infer<typeof welcome>;

/** A message of a channel; those of one channel come in offset order. */
export const message = z.strictObject({ type: z.literal('message'), channel, ...messageBody });

/** From the server to this session alone, outside of every channel: told once, or where it is cut not at all. */
export const direct = z.strictObject({
  type: z.literal('direct'),
  from: z.string(),
  /** ms since 1970. */
  at: z.int(),
  data: z.unknown(),
});
export type Direct = z.infer<typeof direct>;

/** To subscriptions that asked for presence. */
export const joined = z.strictObject({ type: z.literal('joined'), channel, member });

export const leftCause = z.enum(['unsubscribed', 'closed', 'timeout', 'expired', 'drain']);
export type LeftCause = z.infer<typeof leftCause>;
export const left = z.strictObject({ type: z.literal('left'), channel, member, cause: leftCause });

/** The position is no longer kept: what lies before `offset` won't come. */
export const gap = z.strictObject({
  type: z.literal('gap'),
  channel,
  /** Where reading goes on. */
  offset,
  reason: z.enum(['retention', 'reset']),
});

/** Nothing will ever follow. */
export const closed = z.strictObject({ type: z.literal('closed'), channel, offset });

/** Without an id: the server ended the subscription. */
export const unsubscribedPush = z.strictObject({
  type: z.literal('unsubscribed'),
  channel,
  code: z.string(),
});

/** With an id it answers that command; without, it is about a frame from which none could be read. */
export const error = z.strictObject({
  type: z.literal('error'),
  id: z.int().min(1).exactOptional(),
  code: z.string(),
  message: z.string(),
  advice,
  /** For a schema error, one line per fault with its path. */
  details: z.array(z.string()).exactOptional(),
});

/** Just before the server closes. */
export const bye = z.strictObject({
  type: z.literal('bye'),
  code: z.string(),
  advice,
  /** For `retry`: come back after a time picked at random between these two. */
  afterMs: z.tuple([z.int(), z.int()]).exactOptional(),
});

/** Everything that the server sends uncalled, and `error`. */
export const push = z.union([
  z.discriminatedUnion('type', [welcome, message, direct, joined, left, gap, closed, error, bye]),
  unsubscribedPush,
]);
export type Push = z.infer<typeof push>;
export type MessagePush = z.infer<typeof message>;
export type Joined = z.infer<typeof joined>;
export type Left = z.infer<typeof left>;
export type Gap = z.infer<typeof gap>;
export type ErrorPush = z.infer<typeof error>;
export type Bye = z.infer<typeof bye>;

/** Everything that a server may send. */
export const envelope = z.union([push, reply]);
export type Envelope = z.infer<typeof envelope>;
