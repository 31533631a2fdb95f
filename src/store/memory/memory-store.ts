import type { Start } from '../../protocol/offset.js';
import type { Creation } from '../creation.js';
import type { Rules } from '../log/channels.js';
import { Channels } from '../log/channels.js';
import type { Log } from '../log/log.js';
import type { NewMessage } from '../message.js';
import type { StoreOptions } from '../options.js';
import { keepingOf, rulesOf } from '../options.js';
import type {
  Appended,
  AppendOptions,
  ChannelStat,
  Created,
  Page,
  ReadBound,
  Store,
  Tail,
  Watcher,
} from '../store.js';
import { Watchers } from '../watchers.js';
import { MemoryShelf } from './memory-shelf.js';

/** See StoreOptions. `maxBytes` is 256 MiB where nothing is said. */
export type MemoryStoreOptions = StoreOptions;

const MAX_BYTES = 256 * 1024 * 1024;
const SWEPT_AT_ONCE = 2000;

/**
 * Logs in the memory of this process. What is accepted survives nothing: with the process it is gone,
 * and readers that come back to the next one are told so (`resume: "lost"`).
 */
export class MemoryStore implements Store {
  readonly #watchers = new Watchers();
  readonly #shelf: MemoryShelf;
  readonly #rules: Rules;
  readonly #now: () => number;
  #sweep: Iterator<[string, Log]> | undefined;

  constructor(options: MemoryStoreOptions = {}) {
    this.#shelf = new MemoryShelf(keepingOf(options, MAX_BYTES));
    this.#rules = rulesOf(options, this.#watchers);
    this.#now = options.now ?? Date.now;
  }

  async open(channel: string): Promise<Tail> {
    return this.#do((channels) => channels.open(channel));
  }

  async create(channel: string, creation: Creation = {}): Promise<Created> {
    return this.#do((channels) => channels.create(channel, creation));
  }

  async append(
    channel: string,
    messages: readonly NewMessage[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    return this.#do((channels) => channels.append(channel, messages, options));
  }

  async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#do((channels) => channels.read(channel, start, bound));
  }

  async stat(channel: string): Promise<ChannelStat | undefined> {
    return this.#do((channels) => channels.stat(channel));
  }

  async list(after: string, limit: number): Promise<string[]> {
    return this.#do((channels) => channels.list(after, limit));
  }

  async close(channel: string): Promise<Tail> {
    return this.#do((channels) => channels.close(channel));
  }

  async delete(channel: string): Promise<boolean> {
    return this.#do((channels) => channels.delete(channel));
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    this.#do((channels) => channels.settle(channel)); // what is over isn't kept by one who comes later
    const end = this.#watchers.add(channel, watcher);
    return () => {
      if (end()) this.#do((channels) => channels.touch(channel, this.#now()));
    };
  }

  async sweep(): Promise<void> {
    this.#do((channels) => {
      this.#sweep ??= this.#shelf.all();
      for (let swept = 0; swept < SWEPT_AT_ONCE; swept++) {
        const next = this.#sweep.next();
        if (next.done === true) {
          this.#sweep = undefined;
          return;
        }
        channels.sweep(...next.value);
      }
    });
  }

  async ping(): Promise<void> {}

  async end(): Promise<void> {
    this.#shelf.clear();
    this.#watchers.clear();
  }

  /** What is done is so at once; then it is told of, also where it ends in a refusal. */
  #do<Result>(work: (channels: Channels) => Result): Result {
    const channels = new Channels(this.#shelf, this.#rules, this.#now());
    try {
      return work(channels);
    } finally {
      for (const news of channels.news) this.#watchers.tell(news);
    }
  }
}
