import * as z from 'zod';

/** Ways to read one channel, or several at once. `read-…` are those of `/v1/read`. */
export const TECHNIQUES = [
  'websocket',
  'sse',
  'long-poll',
  'poll',
  'read-sse',
  'read-long-poll',
  'read-poll',
] as const;
export type Technique = (typeof TECHNIQUES)[number];

/** Ways to publish: a command on a WebSocket, a body for the channel as a stream, a command over HTTP. */
export const WAYS = ['publish-websocket', 'publish-stream', 'publish-commands'] as const;
export type Way = (typeof WAYS)[number];

/**
 * Where a reader begins: at the position that the channel was made with (then it has to read all there is), at the
 * beginning of what is kept, at the tail, or nowhere: it may not read.
 */
export const STARTS = ['made', '-1', 'now', 'nowhere'] as const;

const channel = z.string();
const offset = z.string().min(1);
const uid = z.string().min(1);
/** Of a message's data, as text. */
const hash = z.string().regex(/^[0-9a-f]{16}$/);
const how = z.enum(WAYS);
const technique = z.enum(TECHNIQUES);
const whole = z.int().min(0);
const tried = z.enum([...TECHNIQUES, ...WAYS]);

/** Who reads what in a run, and from where. */
export const readerPlan = z.strictObject({
  by: z.string(),
  start: z.enum(STARTS),
  channels: z.array(channel).min(1),
});
export type ReaderPlan = z.infer<typeof readerPlan>;

const stamp = {
  /** Since the run began, in µs; grows with every event. */
  atUs: whole,
  /** The process that saw it. */
  by: z.string().min(1),
  /** Which of its events this is, from 0. */
  n: whole,
};

/** The first event. The uid of a message is `<run>.<by>.<number>`. */
const begin = z.strictObject({
  ...stamp,
  kind: z.literal('begin'),
  format: z.literal(1),
  run: z.string().min(1),
  readers: z.array(readerPlan),
  /** Said where retention takes nothing as long as the run lasts: what is gone was lost. */
  whole: z.literal(true).exactOptional(),
});
/** A channel that nobody has published to, and its position. */
const made = z.strictObject({ ...stamp, kind: z.literal('channel.made'), channel, offset });

/** Noted before the message is sent. Who names itself sends the same again until it is answered. */
const invoked = z.strictObject({
  ...stamp,
  kind: z.literal('publish.invoked'),
  how,
  channel,
  uid,
  hash,
  producer: z.strictObject({ epoch: whole, seq: whole }).exactOptional(),
});
/** An answer says again what it is about: of a message that nobody gets, nothing else would. */
const about = { how, channel, uid, hash };
const accepted = z.strictObject({
  ...stamp,
  kind: z.literal('publish.accepted'),
  ...about,
  offset,
  /** null where an earlier try had no answer: then either would be right. */
  duplicate: z.boolean().nullable(),
});
/** Surely not stored by this try. */
const refused = z.strictObject({ ...stamp, kind: z.literal('publish.refused'), ...about, code: z.string() });
/** No answer: stored by this try, or not. */
const unknown = z.strictObject({ ...stamp, kind: z.literal('publish.unknown'), ...about });

/** Noted before it asks. */
const began = z.strictObject({ ...stamp, kind: z.literal('read.began'), technique, channel, from: offset });
/** What the reply to `subscribe` says. */
const joined = z.strictObject({
  ...stamp,
  kind: z.literal('read.joined'),
  technique,
  channel,
  offset,
  resume: z.enum(['complete', 'lost', 'none']),
});
/** What came in one piece: uid and hash of each message, and the position after the last. */
const received = z.strictObject({
  ...stamp,
  kind: z.literal('read.received'),
  technique,
  channel,
  items: z.array(z.tuple([z.string(), hash])).min(1),
  offset,
});
/** It is told a position, and nothing came. */
const stands = z.strictObject({ ...stamp, kind: z.literal('read.stands'), technique, channel, offset });
/** It is told that something is missing, and where reading goes on; null after a 410: at the beginning of what is kept. */
const gap = z.strictObject({
  ...stamp,
  kind: z.literal('read.gap'),
  technique,
  channel,
  offset: offset.nullable(),
});
const ended = z.strictObject({
  ...stamp,
  kind: z.literal('read.ended'),
  technique,
  channel,
  /** `left`: it had enough; `cut`: by itself, amid bytes; `lost`: by something else; `over`: in order. */
  why: z.enum(['left', 'cut', 'lost', 'over']),
});

/** Somebody who may not tries to. */
const denyTried = z.strictObject({ ...stamp, kind: z.literal('deny.tried'), technique: tried, channel });
/** As it has to be. */
const denyRefused = z.strictObject({
  ...stamp,
  kind: z.literal('deny.refused'),
  technique: tried,
  channel,
  code: z.enum(['forbidden', 'unauthenticated']),
});
/** It was let in. */
const denyServed = z.strictObject({ ...stamp, kind: z.literal('deny.served'), technique: tried, channel });
/** No answer, or one that says to try again later. */
const denyUnknown = z.strictObject({ ...stamp, kind: z.literal('deny.unknown'), technique: tried, channel });

/**
 * Something that was done to the server, the network or a reader. `loss`: the store is down, and what it had is gone;
 * noted before it is started again, so that nothing that is sent later can be lost with it.
 */
const fault = z.strictObject({
  ...stamp,
  kind: z.literal('fault'),
  what: z.enum(['restart', 'kill', 'cut', 'stall', 'delay', 'slow', 'loss']),
});

/** The last event: how many there were before it, by what they are and by whom. */
const end = z.strictObject({
  ...stamp,
  kind: z.literal('end'),
  counts: z.record(z.string(), whole),
  events: z.record(z.string(), whole),
});

/** One line of a history. */
export const historyEvent = z.discriminatedUnion('kind', [
  begin,
  made,
  invoked,
  accepted,
  refused,
  unknown,
  began,
  joined,
  received,
  stands,
  gap,
  ended,
  denyTried,
  denyRefused,
  denyServed,
  denyUnknown,
  fault,
  end,
]);
export type HistoryEvent = z.infer<typeof historyEvent>;
export type Kind = HistoryEvent['kind'];
export type EventOf<K extends Kind> = Extract<HistoryEvent, { readonly kind: K }>;
/** What a process has to say of an event: the history adds the rest. */
export type Unstamped<E = HistoryEvent> = E extends HistoryEvent ? Omit<E, keyof typeof stamp> : never;

/** What an event is counted as: its kind, and by what or why. */
export function labelOf(event: Unstamped): string {
  const { kind, how, technique, code, why, what, resume }: Labelled = event;
  return [kind, how, technique, code, why, what, resume].filter((word) => word !== undefined).join('/');
}

interface Labelled {
  readonly kind: string;
  readonly how?: string;
  readonly technique?: string;
  readonly code?: string;
  readonly why?: string;
  readonly what?: string;
  readonly resume?: string;
}
