import { MAX_PAGE_BYTES } from '../../core/limits.js';
import type { EarshotNode } from '../../core/node.js';
import type { Producer } from '../../protocol/commands.js';
import type { EncodableMessage, EncodablePage } from '../../protocol/encode.js';
import { JsonText } from '../../protocol/json-text.js';
import { parseOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Member } from '../../protocol/replies.js';
import { BEGINNING } from '../../protocol/version.js';
import type { Appended, Store } from '../../store/store.js';
import { checkName } from './name.js';

export interface PublishOptions {
  /** Who readers see it come from. Default `server`. */
  readonly from?: string | undefined;
  /** Notes beside the data, which readers get as `meta`. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined;
  /** Names and numbers the message: repeated, it is stored once. */
  readonly producer?: Producer | undefined;
}

export interface HistoryOptions {
  /** Default `-1`, the beginning of what is kept. */
  readonly offset?: string | undefined;
  /** 1 to 1,000. Default 100. */
  readonly limit?: number | undefined;
}

/** A message as it was stored. */
export interface Message {
  /** The position after it. */
  readonly offset: string;
  readonly from: string;
  /** ms since 1970. */
  readonly at: number;
  /** A JSON value; on a channel of another type a Uint8Array. */
  readonly data: unknown;
  readonly meta?: unknown;
}

/** A page of the log. */
export interface History {
  readonly messages: readonly Message[];
  /** The next to ask for. */
  readonly offset: string;
  /** True where nothing follows yet. */
  readonly upToDate: boolean;
}

const PAGE = 100;
const MAX_PAGE = 1000;

/** Publishes past every policy. Rejects with `Refused`: `bad_channel`, `bad_data`, `closed`, `conflict`, `too_many`, `unavailable`. */
export async function publishTo(
  { store }: EarshotNode,
  channel: string,
  data: unknown,
  { from = 'server', meta, producer }: PublishOptions,
): Promise<Appended> {
  checkName(channel);
  const message = { from, data: toJson(data), ...(meta !== undefined && { meta: toJson(meta) }) };
  return store.append(channel, [message], { producer });
}

/** Reads past every policy. Rejects with `bad_channel`, `bad_offset`, or `gone` where what followed is no longer kept. */
export async function historyOf(
  { store }: EarshotNode,
  channel: string,
  options: HistoryOptions,
): Promise<History> {
  const { messages, offset, upToDate } = await storedHistoryOf(store, channel, options);
  return { messages: messages.map(parsed), offset, upToDate };
}

/** The same, with the data of each message as the text it came in. */
export async function storedHistoryOf(
  store: Store,
  channel: string,
  { offset = BEGINNING, limit = PAGE }: HistoryOptions,
): Promise<EncodablePage> {
  checkName(channel);
  const bound = { messages: Math.max(1, Math.min(limit, MAX_PAGE)), bytes: MAX_PAGE_BYTES };
  const page = await store.read(channel, parseOffset(offset), bound);
  if (page.lost !== undefined) throw new Refused('gone', 'what followed that offset is no longer kept');
  return page;
}

/** Who is in a channel, on all nodes: at most 1,000 are named, `count` tells how many there are. */
export function membersOf(
  { presence }: EarshotNode,
  channel: string,
): { readonly members: readonly Member[]; readonly count: number } {
  checkName(channel);
  return presence.list(channel);
}

function parsed({ offset, from, at, data, meta }: EncodableMessage): Message {
  return {
    offset,
    from,
    at,
    data: typeof data === 'string' ? JSON.parse(data) : data,
    ...(meta !== undefined && { meta: JSON.parse(meta) }),
  };
}

function toJson(data: unknown): string {
  if (data instanceof JsonText) return data.text;
  try {
    const text: string | undefined = JSON.stringify(data);
    if (text !== undefined) return text;
  } catch {
    // circular, or a bigint: no JSON either
  }
  throw new Refused('bad_data', 'the data is nothing that JSON has');
}
