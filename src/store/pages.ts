import type { Start } from '../protocol/offset.js';
import type { Page, ReadBound } from './store.js';

type Read = (channel: string, start: Start, bound: ReadBound) => Promise<Page>;

/** A page is some 100 KiB at most: these together are what this process may be sent at a time. */
const MAX_UNDER_WAY = 32;

interface Asked {
  readonly page: Promise<Page>;
  begin(): void;
}

/**
 * The pages that a process reads from a store elsewhere: a few at a time, and those that are asked for twice before they
 * are asked of it are read once. So it costs no memory when all readers fall behind at the same time.
 */
export class Pages {
  readonly #read: Read;
  /** Not begun yet, the oldest first. */
  readonly #waiting = new Map<string, Asked>();
  #underWay = 0;

  constructor(read: Read) {
    this.#read = read;
  }

  read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    if (this.#underWay < MAX_UNDER_WAY) return this.#begin(channel, start, bound);
    const key = keyOf(channel, start, bound);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting.page;
    let begin = () => {};
    const page = new Promise<Page>((resolve) => {
      begin = () => resolve(this.#begin(channel, start, bound));
    });
    this.#waiting.set(key, { page, begin });
    return page;
  }

  async #begin(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    this.#underWay++;
    try {
      return await this.#read(channel, start, bound);
    } finally {
      this.#underWay--;
      this.#next();
    }
  }

  #next(): void {
    for (const [key, { begin }] of this.#waiting) {
      this.#waiting.delete(key);
      begin();
      return;
    }
  }
}

function keyOf(channel: string, start: Start, { messages, bytes }: ReadBound): string {
  const from = typeof start === 'string' ? start : `${start.epoch}/${start.seq}`;
  return `${messages} ${bytes} ${from} ${channel}`;
}
