import * as z from 'zod';
import { formatOffset } from '../../../protocol/offset.js';
import type { StoredMessage } from '../../message.js';
import type { Tail } from '../../store.js';
import { BadReply, dataFrom, jsonFrom, metaOf } from './reply.js';

/** What is said of a channel where it is told of. */
export type Announcement =
  | { readonly epoch: string; readonly deleted: true }
  | {
      readonly epoch: string;
      readonly tail: Tail;
      /** The last of the log; undefined where they are too large to be told. */
      readonly messages: readonly StoredMessage[] | undefined;
    };

const epoch = z.string().regex(/^[0-9a-z]{11}$/);
const whole = z.int().min(0);
const KINDS = ['text', 'bytes'] as const;
const header = z.union([
  z.strictObject({ epoch, deleted: z.literal(true) }),
  z.strictObject({
    epoch,
    tail: whole,
    at: whole,
    closed: z.literal(true).optional(),
    /** Of each message: the bytes of its publisher's name, its kind, the bytes of its data and of its meta. */
    sizes: z
      .array(z.tuple([whole, z.enum(KINDS), whole, whole]))
      .max(10_000)
      .optional(),
    /** True where there are messages, and they are too large to be told. */
    large: z.literal(true).optional(),
  }),
]);

const NEWLINE = 0x0a;

/** A header in JSON, a newline, and the messages one after the other. Throws BadReply for what no node of ours has said. */
export function announcementFrom(bytes: Buffer): Announcement {
  const end = bytes.indexOf(NEWLINE);
  const result = end === -1 ? undefined : header.safeParse(jsonFrom(bytes.toString('utf8', 0, end)));
  if (result?.success !== true) throw new BadReply('no announcement');
  const said = result.data;
  if ('deleted' in said) return said;
  const tail = { epoch: said.epoch, seq: said.tail, closed: said.closed === true };
  const messages = messagesFrom(bytes.subarray(end + 1), said.sizes ?? [], tail, said.at);
  return { epoch: said.epoch, tail, messages: said.large === true ? undefined : messages };
}

type Sizes = readonly (readonly [number, (typeof KINDS)[number], number, number])[];

function messagesFrom(body: Buffer, sizes: Sizes, { epoch, seq: last }: Tail, at: number): StoredMessage[] {
  const first = last - sizes.length + 1;
  let place = 0;
  const take = (size: number): Buffer => {
    const bytes = body.subarray(place, place + size);
    place += size;
    return bytes;
  };
  const messages = sizes.map(([name, kind, data, meta], index) => {
    const seq = first + index;
    const from = take(name).toString();
    const bytes = take(data);
    const notes = take(meta).toString();
    return { seq, offset: formatOffset(epoch, seq), from, at, data: dataFrom(kind, bytes), ...metaOf(notes) };
  });
  if (place !== body.length || (sizes.length > 0 && first < 1))
    throw new BadReply('an announcement of another length');
  return messages;
}
