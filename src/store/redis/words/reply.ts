import * as z from 'zod';
import { formatOffset } from '../../../protocol/offset.js';
import { Refused } from '../../../protocol/refused.js';
import { Epochs } from '../../log/epochs.js';
import type { Ancestry } from '../../log/log-state.js';
import type { MessageData, StoredMessage } from '../../message.js';
import { Closed, Fenced, OutOfSequence } from '../../refusals.js';
import type { ChannelStat, Tail } from '../../store.js';
import { isMessageText } from './message-text.js';

/** What Redis has answered is none of what our scripts answer: somebody else writes there. */
export class BadReply extends Error {
  override readonly name = 'BadReply';

  constructor(what: string) {
    super(`Redis holds something that is none of ours: ${what}`);
  }
}

/** A reply of a script, taken one after the other. */
export class Reply {
  readonly #items: readonly unknown[];
  #next = 0;

  constructor(items: unknown) {
    if (!Array.isArray(items)) throw new BadReply('no list');
    this.#items = items;
  }

  get isOver(): boolean {
    return this.#next >= this.#items.length;
  }

  text(): string {
    return this.bytes().toString();
  }

  bytes(): Buffer {
    const item = this.#items[this.#next++];
    if (!Buffer.isBuffer(item)) throw new BadReply('no text');
    return item;
  }

  /** A whole number that is no less than 0. */
  number(): number {
    const item = this.#items[this.#next++];
    const number = Buffer.isBuffer(item) && item.length > 0 ? Number(item.toString()) : item;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
      throw new BadReply('no number');
    return number;
  }

  flag(): boolean {
    return this.number() === 1;
  }

  list(): Reply {
    return new Reply(this.#items[this.#next++]);
  }

  *lists(): Generator<Reply> {
    while (!this.isOver) yield this.list();
  }
}

const EPOCH = /^[0-9a-z]{11}$/;
const epoch = z.string().regex(EPOCH);
const whole = z.int().min(0);
const stretch = z.object({ epoch, stop: whole, torn: z.literal(true).optional() });
const stretches = z.array(stretch).max(1000);

const state = z.object({
  epoch,
  /** When the latest life began. */
  at: whole,
  contentType: z.string(),
  ttlSeconds: whole.optional(),
  expiresAt: whole.optional(),
  source: z.string().optional(),
  token: z.string().optional(),
  places: z.array(z.string()).optional(),
  skip: whole.optional(),
  sourceTtlSeconds: whole.optional(),
  sourceExpiresAt: whole.optional(),
  stays: z.literal(true).optional(),
  closed: z.literal(true).optional(),
  gone: z.literal(true).optional(),
  blank: z.literal(true).optional(),
  lastAt: whole,
  start: whole,
  startBytes: whole,
  tail: whole,
  tailBytes: whole,
  stretches: stretches.optional(),
});

const glance = state
  .pick({ epoch: true, tail: true, closed: true, ttlSeconds: true, gone: true })
  .extend({ usedAt: whole, gone: z.undefined().optional() });
/** How often, while a channel keeps its identity without any, a use is noted at most. */
export const USES_NOTED = 24;

/** What is written of a channel. */
export type State = z.infer<typeof state>;

export function stateFrom(text: string): State {
  const result = state.safeParse(jsonFrom(text));
  if (!result.success) throw new BadReply('no state of a channel');
  return result.data;
}

export function epochsOf({ epoch, stretches }: Pick<State, 'epoch' | 'stretches'>): Epochs {
  const inherited = stretches?.map(({ epoch, stop, torn }) => ({ epoch, end: stop, ...(torn && { torn }) }));
  return new Epochs(epoch, inherited);
}

export function stretchesFrom(text: string): State['stretches'] {
  if (text === '') return undefined;
  const result = stretches.safeParse(jsonFrom(text));
  if (!result.success) throw new BadReply('no stretches of a log');
  return result.data;
}

export function epochFrom(text: string): string {
  if (!EPOCH.test(text)) throw new BadReply('no epoch');
  return text;
}

/** The rest of `tail`. */
export function tailFrom(reply: Reply): Tail {
  return { epoch: epochFrom(reply.text()), seq: reply.number(), closed: reply.flag() };
}

export function tailOf({ epoch, tail, closed }: Pick<State, 'epoch' | 'tail' | 'closed'>): Tail {
  return { epoch, seq: tail, closed: closed === true };
}

/** Where it ends, as an offset. */
export function offsetOf(state: State): string {
  return formatOffset(epochsOf(state).at(state.tail), state.tail);
}

export function statOf(state: State): ChannelStat {
  const { contentType, ttlSeconds, expiresAt, epoch, start, startBytes, tail, tailBytes, lastAt } = state;
  return {
    contentType,
    lifetime: {
      ...(ttlSeconds !== undefined && { ttlSeconds }),
      ...(expiresAt !== undefined && { expiresAt }),
    },
    start: { epoch, seq: start },
    tail: tailOf(state),
    offset: offsetOf(state),
    messages: tail - start,
    bytes: tailBytes - startBytes,
    lastAt: start === tail ? undefined : lastAt,
  };
}

/**
 * Where a channel ends, by its state as it stands in Redis; undefined where there is none, or where it matters that it is used, at
 * this time in ms.
 */
export function glanceFrom(text: string, identityMs: number, now: number): Tail | undefined {
  const found = glance.safeParse(jsonFrom(text));
  if (!found.success || found.data.ttlSeconds !== undefined) return undefined;
  return now - found.data.usedAt > identityMs / USES_NOTED ? undefined : tailOf(found.data);
}

/** What it is a fork of. */
export function ancestryOf({
  source,
  places,
  skip,
  sourceTtlSeconds,
  sourceExpiresAt,
}: State): Ancestry | undefined {
  if (source === undefined) return undefined;
  const lifetime = {
    ...(sourceTtlSeconds !== undefined && { ttlSeconds: sourceTtlSeconds }),
    ...(sourceExpiresAt !== undefined && { expiresAt: sourceExpiresAt }),
  };
  return { source, lifetime, places: places ?? [], skip: skip ?? 0 };
}

/** Its data, as it was published: of JSON, or bytes. */
export function dataFrom(kind: string, bytes: Buffer): MessageData {
  if (kind === 'bytes') return bytes;
  const text = bytes.toString();
  if (kind !== 'text' || !isMessageText(text)) throw new BadReply('no message');
  return text;
}

const ENTRY_ID = /^(\d{1,16})-0$/;

/** A message of a page: id, at, from, kind, data, meta. */
export function messageFrom(reply: Reply, epochs: Epochs): StoredMessage {
  const seq = Number(ENTRY_ID.exec(reply.text())?.[1]);
  if (!Number.isSafeInteger(seq)) throw new BadReply('no number of a message');
  const at = reply.number();
  const from = reply.text();
  const data = dataFrom(reply.text(), reply.bytes());
  const meta = reply.text();
  return { seq, offset: formatOffset(epochs.at(seq), seq), from, at, data, ...metaOf(meta) };
}

export function metaOf(text: string): { readonly meta?: string } {
  if (text === '') return {};
  if (!isMessageText(text)) throw new BadReply('no meta of a message');
  return { meta: text };
}

/** What a script refused, as stores say it. */
export function refusalFrom(reply: Reply, producer?: { readonly seq: number }): Error {
  const code = reply.text();
  const word = WORDS[code];
  if (word === undefined) throw new BadReply(`no refusal: ${code}`);
  return word(reply, producer?.seq ?? 0);
}

const WORDS: Readonly<Record<string, (reply: Reply, seq: number) => Error>> = {
  gone: (reply) => new Refused('gone', reply.isOver ? 'the channel was deleted' : reply.text()),
  not_found: () => new Refused('not_found', 'there is no such channel'),
  conflict: () => new Refused('conflict', 'the channel was deleted, and has forks'),
  bad_offset: (reply) =>
    new Refused('bad_offset', reply.isOver ? 'that offset is none of this channel' : reply.text()),
  closed: (reply) => new Closed(reply.text()),
  type: (reply) => new Refused('conflict', `the channel is of type ${reply.text()}`),
  order: (reply) => new Refused('conflict', `the last of the writers' sequence was "${reply.text()}"`),
  producers: () => new Refused('too_many', 'the channel has as many producers as it takes already'),
  fenced: (reply) => new Fenced(reply.number()),
  out_of_sequence: (reply, seq) => new OutOfSequence(reply.number(), seq, reply.flag()),
};

export function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadReply('no JSON');
  }
}
