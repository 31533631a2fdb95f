import type { StoredMessage } from './message.js';
import type { Tail, Watcher } from './store.js';

/** What happened to a channel. */
export interface News {
  readonly channel: string;
  /** Of this life of the channel. */
  readonly epoch: string;
  readonly messages?: readonly StoredMessage[];
  readonly closed?: Tail | undefined;
  readonly deleted?: boolean;
  /** How far the log goes, where messages were not told. */
  readonly moved?: Tail;
}

/** Who hears of what happens to which channel. */
export class Watchers {
  readonly #watchers = new Map<string, Set<Watcher>>();

  has(channel: string): boolean {
    return this.#watchers.has(channel);
  }

  /** Gives the way to end it, which says whether it has ended by that. */
  add(channel: string, watcher: Watcher): () => boolean {
    const watchers = this.#watchers.get(channel) ?? new Set();
    this.#watchers.set(channel, watchers.add(watcher));
    return () => {
      const had = watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(channel) === watchers) this.#watchers.delete(channel);
      return had;
    };
  }

  /** When the first of it is heard, all of it is so. */
  tell({ channel, epoch, messages = [], closed, deleted = false, moved }: News): void {
    for (const message of messages) for (const each of this.#of(channel)) each.appended(message, epoch);
    if (moved !== undefined) for (const each of this.#of(channel)) each.moved(moved);
    if (closed !== undefined) for (const each of this.#of(channel)) each.closed(closed);
    if (deleted) for (const each of this.#of(channel)) each.deleted();
  }

  clear(): void {
    this.#watchers.clear();
  }

  /** A copy: a watcher may end itself, or another, when it is called. */
  #of(channel: string): Watcher[] {
    const watchers = this.#watchers.get(channel);
    return watchers === undefined ? [] : [...watchers];
  }
}
