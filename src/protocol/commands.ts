import * as z from 'zod';
import { CHANNEL_RULE, isChannel } from './channel.js';
import { BEGINNING, NOW } from './version.js';

/** Chosen by the client; the one reply to the command carries the same. */
const id = z.int().min(1);

const channel = z.string().refine(isChannel, { error: CHANNEL_RULE, params: { code: 'bad_channel' } });

/** Opaque here: whether this server gave it out is the log's to say. */
const offset = z.string();

/**
 * A publisher that names itself and numbers its messages may repeat a publish after any failure:
 * it is stored once (Durable Streams §5.2.1). `seq` begins at 0 in each epoch and grows by one.
 */
export const producer = z.strictObject({
  id: z.string().min(1).max(128),
  epoch: z.int().min(0),
  seq: z.int().min(0),
});
export type Producer = z.infer<typeof producer>;

export const subscribe = z.strictObject({
  type: z.literal('subscribe'),
  id,
  channel,
  offset: offset.default(NOW),
  presence: z.boolean().default(false),
});
export type SubscribeCommand = z.infer<typeof subscribe>;

export const unsubscribe = z.strictObject({ type: z.literal('unsubscribe'), id, channel });
export type UnsubscribeCommand = z.infer<typeof unsubscribe>;

export const publish = z.strictObject({
  type: z.literal('publish'),
  id,
  channel,
  /** Any JSON. Opaque: it is stored and delivered as the text it came in. */
  data: z.unknown(),
  producer: producer.exactOptional(),
});
export type PublishCommand = z.infer<typeof publish>;

export const history = z.strictObject({
  type: z.literal('history'),
  id,
  channel,
  offset: offset.default(BEGINNING),
  limit: z.int().min(1).max(1000).default(100),
});
export type HistoryCommand = z.infer<typeof history>;

export const presence = z.strictObject({ type: z.literal('presence'), id, channel });
export type PresenceCommand = z.infer<typeof presence>;

export const authenticate = z.strictObject({
  type: z.literal('authenticate'),
  id,
  token: z.string().min(1).max(16_384),
});
export type AuthenticateCommand = z.infer<typeof authenticate>;

export const ping = z.strictObject({ type: z.literal('ping'), id: id.exactOptional() });
export type PingCommand = z.infer<typeof ping>;

/** Everything that a client may send. */
export const command = z.discriminatedUnion('type', [
  subscribe,
  unsubscribe,
  publish,
  history,
  presence,
  authenticate,
  ping,
]);
export type Command = z.infer<typeof command>;
/** A command as a client writes it: what has a default may be left out. */
export type CommandInput = z.input<typeof command>;
export type CommandType = Command['type'];
