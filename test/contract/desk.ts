import type { Test } from 'tap';
import type { Start } from '../../src/protocol/offset.js';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';
import type { MessageData } from '../../src/store/message.js';
import type {
  Appended,
  AppendOptions,
  Page,
  Retention,
  Store,
  Tail,
  Watcher,
} from '../../src/store/store.js';

export const KEEP_ALL: Retention = { messages: 1e9, ageMs: 1e12, bytes: 1e12 };
export const EVERYTHING = { messages: 1e9, bytes: 1e9 };
/** A store's limits on messages are met on time or a little after; this is long after. */
export const LONG_MS = 10 ** 9;

export type MakeDesk = (t: Test, retention?: Partial<Retention>) => Promise<Desk>;

/** A store, the clock that it looks at, and short ways to ask it, which may be taken apart. */
export class Desk {
  readonly store: Store;
  readonly clock: { ms: number };

  constructor(store: Store, clock: { ms: number }) {
    this.store = store;
    this.clock = clock;
  }

  readonly append = async (data: unknown, channel = 'a'): Promise<string> => {
    const { offset } = await this.store.append(channel, [json(data)]);
    return offset;
  };

  /** Several messages in one append. */
  readonly batch = (data: readonly unknown[], options?: AppendOptions, channel = 'a'): Promise<Appended> =>
    this.store.append(channel, data.map(json), options);

  readonly produce = (
    id: string,
    epoch: number,
    seq: number,
    data: unknown = seq,
    options?: AppendOptions,
  ): Promise<Appended> => this.store.append('a', [json(data)], { ...options, producer: { id, epoch, seq } });

  readonly read = (start: Start | string = '-1', bound = EVERYTHING, channel = 'a'): Promise<Page> =>
    this.store.read(channel, typeof start === 'string' ? parseOffset(start) : start, bound);

  readonly data = async (
    start: Start | string = '-1',
    bound = EVERYTHING,
    channel = 'a',
  ): Promise<unknown[]> => dataOf(await this.read(start, bound, channel));
}

/** A message from Ann. */
export const json = (data: unknown) => ({ from: 'ann', data: JSON.stringify(data) });

/** A message of bytes, likewise. */
export const raw = (text: string) => ({ from: 'ann', data: Buffer.from(text) });
/** What its bytes spell. */
export const textOf = ({ data }: { readonly data: MessageData }): string => Buffer.from(data).toString();

/** What a text says; bytes as they are. */
export const parsed = (data: MessageData): unknown => (typeof data === 'string' ? JSON.parse(data) : data);
export const dataOf = (page: Page): unknown[] => page.messages.map(({ data }) => parsed(data));
/** Where a page ends, as an offset. */
export const endOf = (place: Tail | Page): string => formatOffset(place.epoch, place.seq);

export function watcher(hears: Partial<Watcher>): Watcher {
  return { appended: () => {}, closed: () => {}, deleted: () => {}, moved: () => {}, ...hears };
}
