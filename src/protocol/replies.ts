import * as z from 'zod';

const id = z.int().min(1);
const channel = z.string();
const offset = z.string();

/** One session in a channel. */
export const member = z.strictObject({
  session: z.string(),
  /** Who the token says it is; null where anonymous. */
  user: z.string().nullable(),
  name: z.string(),
});
export type Member = z.infer<typeof member>;

/** One message of a channel, as pushes and history carry it. */
export const messageBody = {
  /** The position after this message: what to resume with. */
  offset,
  /** The name of the publisher. */
  from: z.string(),
  /** When it was stored, in ms since 1970. */
  at: z.int(),
  data: z.unknown(),
  /** Present where the channel is not JSON: `data` is a string with bytes. */
  encoding: z.literal('base64').exactOptional(),
  /** Notes of the server beside the data; absent where there are none. */
  meta: z.record(z.string(), z.unknown()).exactOptional(),
};

const members = {
  /** Who is there, at most 1,000 of them. */
  members: z.array(member),
  /** How many are there in all. */
  count: z.int(),
};

export const subscribed = z.strictObject({
  type: z.literal('subscribed'),
  id,
  channel,
  /** Where the subscription now stands. */
  offset,
  /**
   * `complete`: everything after the asked offset will come. `lost`: some of it is no longer kept, what is
   * will come. `none`: `now` or `-1` was asked for.
   */
  resume: z.enum(['complete', 'lost', 'none']),
  members: members.members.exactOptional(),
  count: members.count.exactOptional(),
});

export const unsubscribedReply = z.strictObject({ type: z.literal('unsubscribed'), id, channel });

export const published = z.strictObject({
  type: z.literal('published'),
  id,
  channel,
  offset,
  /** True where the producer had this one stored already. */
  duplicate: z.boolean(),
});

export const historyReply = z.strictObject({
  type: z.literal('history'),
  id,
  channel,
  messages: z.array(z.strictObject(messageBody)),
  /** The next to ask for. */
  offset,
  upToDate: z.boolean(),
});

export const presenceReply = z.strictObject({ type: z.literal('presence'), id, channel, ...members });

export const authenticated = z.strictObject({
  type: z.literal('authenticated'),
  id,
  user: z.string().nullable(),
  /** When the session ends unless a newer token comes, in ms since 1970. */
  expiresAt: z.int().nullable(),
});

export const pong = z.strictObject({ type: z.literal('pong'), id: id.exactOptional() });

/** Every answer to a command, but for `error`. */
export const reply = z.discriminatedUnion('type', [
  subscribed,
  unsubscribedReply,
  published,
  historyReply,
  presenceReply,
  authenticated,
  pong,
]);
export type Reply = z.infer<typeof reply>;
export type Subscribed = z.infer<typeof subscribed>;
export type Published = z.infer<typeof published>;
export type HistoryReply = z.infer<typeof historyReply>;
export type PresenceReply = z.infer<typeof presenceReply>;
export type Authenticated = z.infer<typeof authenticated>;
