import type { SendQueue } from './send-queue.js';
import type { News, Told } from './words.js';

/** Of news that are on their way to one process; beyond that it hears of each channel only how it is in the end. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What news take beside the data. */
const OVERHEAD_BYTES = 200;

/** What is left to tell of a channel, in this order. */
type Rest = { readonly [Kind in News[0]]?: Extract<News, { readonly 0: Kind }> };

/**
 * What a process hears of the channels that it watches. While it doesn't keep up, of each channel the last message is kept
 * for it and no more: its readers find in the log what lies between, as a watcher is promised.
 */
export class NewsDesk {
  readonly #queue: SendQueue<Told>;
  readonly #rest = new Map<string, Rest>();

  constructor(queue: SendQueue<Told>) {
    this.#queue = queue;
  }

  tell(news: News): void {
    const [kind, channel] = news;
    const isBehind = this.#rest.size > 0 || this.#queue.waitingBytes >= MAX_WAITING_BYTES;
    if (!isBehind) this.#queue.add(news, bytesOf(news));
    else this.#rest.set(channel, { ...(kind !== 'deleted' && this.#rest.get(channel)), [kind]: news });
  }

  /** There is room again. */
  pass(): void {
    for (const [channel, { deleted, appended, moved, closed }] of this.#rest) {
      if (this.#queue.waitingBytes >= MAX_WAITING_BYTES) return;
      this.#rest.delete(channel);
      for (const news of [deleted, appended, moved, closed])
        if (news !== undefined) this.#queue.add(news, bytesOf(news));
    }
  }
}

function bytesOf(news: News): number {
  return OVERHEAD_BYTES + (news[0] === 'appended' ? news[2].data.length : 0);
}
