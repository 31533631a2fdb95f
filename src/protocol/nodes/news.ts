import * as z from 'zod';
import { isChannel, MAX_CHANNEL_LENGTH } from '../channel.js';
import { leftCause } from '../pushes.js';

/** What nodes of another version say is not understood, and left aside. */
export const NEWS_VERSION = 1;

/** A text that is longer than this is no news. */
export const MAX_NEWS_CHARS = 256 * 1024;

const MAX_ITEMS = 1000;
const MAX_TOKEN_ID_LENGTH = 4096;

const id = z.string().min(1).max(256);
const number = z.int().min(0);
/** ms since 1970, or of a span. */
const time = z.int().min(0);
const channel = z.string().min(1).max(MAX_CHANNEL_LENGTH).refine(isChannel);

const member = z.strictObject({ session: id, user: id.nullable(), name: z.string().max(256) });

/** A member of a channel is on this node. */
const joined = z.strictObject({ type: z.literal('joined'), channel, member });

/** It is not on this node any more; it may be on others. */
const left = z.strictObject({ type: z.literal('left'), channel, session: id, cause: leftCause });

/** Tokens that are no longer good: told for as long as it holds. */
const revoked = z.strictObject({
  type: z.literal('revoked'),
  revocation: z.union([
    z.strictObject({ tokenId: z.string().min(1).max(MAX_TOKEN_ID_LENGTH) }),
    z.strictObject({ user: id }),
  ]),
  /** Tokens of the user that were issued until then. */
  at: time,
  /** Until when it is remembered; null: as long as a node that knows of it runs. */
  until: time.nullable(),
});
export type Revoked = z.infer<typeof revoked>;

/** One session, or all of a user. */
const whose = z.union([z.strictObject({ session: id }), z.strictObject({ user: id })]);
export type Whose = z.infer<typeof whose>;

/** What every node does once, to the sessions that it has. */
const order = z.strictObject({
  type: z.literal('order'),
  /** Names it: the same is told several times. */
  id,
  /** How long ago it was given, in ms: no two clocks agree. What has begun since then is not meant. */
  ageMs: time,
  whose,
  /** Their subscription of this channel ends; without it they end. */
  channel: channel.exactOptional(),
});
export type Order = z.infer<typeof order>;

const item = z.discriminatedUnion('type', [joined, left, revoked, order]);
export type Item = z.infer<typeof item>;

const common = { v: z.literal(NEWS_VERSION), node: id };

/** What has changed. A node numbers its news, so that a hole is seen. */
const changes = z.strictObject({
  ...common,
  type: z.literal('changes'),
  /** One more than of the one before; the first is 1. */
  number: number.min(1),
  items: z.array(item).max(MAX_ITEMS),
  /** Everything that the node has to tell is told again from here on, between whatever changes meanwhile. */
  begins: z.literal(true).exactOptional(),
  /** That was all. */
  ends: z.literal(true).exactOptional(),
});
export type Changes = z.infer<typeof changes>;

/** Everything that a node may say to another. */
export const news = z.discriminatedUnion('type', [
  changes,
  /** A node is there, and has told so many news. */
  z.strictObject({ ...common, type: z.literal('beat'), number }),
  /** Asks a node, or every one, to tell everything again. */
  z.strictObject({ ...common, type: z.literal('ask'), of: id.exactOptional() }),
  /** A node ends: nobody is there any more. */
  z.strictObject({ ...common, type: z.literal('bye') }),
]);
/** What nodes tell each other. */
export type News = z.infer<typeof news>;
/** What a node says besides what has changed. */
export type Sign =
  | { readonly type: 'beat'; readonly number: number }
  | { readonly type: 'ask'; readonly of?: string }
  | { readonly type: 'bye' };

/** undefined for a text that is none. Never throws. */
export function decodeNews(text: string): News | undefined {
  if (text.length > MAX_NEWS_CHARS) return undefined;
  try {
    return news.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // no JSON
  }
}

/** undefined for one that no node would take. */
export function encodeItem(each: Item): string | undefined {
  return item.safeParse(each).success ? JSON.stringify(each) : undefined;
}

/** `items` are texts of `encodeItem`. */
export function encodeChanges(
  node: string,
  { number, begins, ends }: Pick<Changes, 'number' | 'begins' | 'ends'>,
  items: readonly string[],
): string {
  const head = JSON.stringify({ v: NEWS_VERSION, node, type: 'changes', number, begins, ends });
  return `${head.slice(0, -1)},"items":[${items.join()}]}`;
}

export function encodeSign(node: string, sign: Sign): string {
  return JSON.stringify({ v: NEWS_VERSION, node, ...sign });
}
