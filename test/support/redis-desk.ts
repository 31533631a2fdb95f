import { EventEmitter, once } from 'node:events';
import { parseRedisAddress } from '../../src/store/redis/link/address.js';
import type { RedisStoreOptions } from '../../src/store/redis/redis-store.js';
import { RedisStore } from '../../src/store/redis/redis-store.js';
import type { Tail, Watcher } from '../../src/store/store.js';
import type { Teardown } from './spawn.js';

const ALL = { messages: 1e9, bytes: 1e9 };

/** A store in a Redis, what it tells, and short ways to ask it. */
export class RedisDesk {
  readonly store: RedisStore;
  readonly #signs: Signs;

  private constructor(store: RedisStore, signs: Signs) {
    this.store = store;
    this.#signs = signs;
  }

  static async open(t: Teardown, url: string, options: Partial<RedisStoreOptions> = {}): Promise<RedisDesk> {
    const signs = new Signs();
    const store = await RedisStore.open({
      address: parseRedisAddress(url),
      onFault: (error) => signs.add(`fault ${error.message}`),
      onRecovery: () => signs.add('recovery'),
      ...options,
    });
    t.teardown(() => store.end());
    return new RedisDesk(store, signs);
  }

  /** What it has told, in this order. */
  get told(): readonly string[] {
    return this.#signs.all;
  }

  /** Resolves when that was told, or was already. */
  hears(pattern: RegExp): Promise<string> {
    return this.#signs.find(pattern);
  }

  async append(channel: string, data: unknown): Promise<string> {
    const { offset } = await this.store.append(channel, [{ from: 'ann', data: JSON.stringify(data) }]);
    return offset;
  }

  async data(channel: string): Promise<unknown[]> {
    const { messages } = await this.store.read(channel, '-1', ALL);
    return messages.map(({ data }) => (typeof data === 'string' ? JSON.parse(data) : data));
  }

  /** Tells of a channel in words. */
  async watch(channel: string): Promise<() => void> {
    const tail = ({ epoch, seq, closed }: Tail) => `${epoch} ${seq}${closed ? ' closed' : ''}`;
    const watcher: Watcher = {
      appended: ({ data }) => this.#signs.add(`${channel} appended ${String(data)}`),
      closed: (at) => this.#signs.add(`${channel} closed ${tail(at)}`),
      deleted: () => this.#signs.add(`${channel} deleted`),
      moved: (at) => this.#signs.add(`${channel} moved ${tail(at)}`),
    };
    return this.store.watch(channel, watcher);
  }
}

class Signs {
  readonly all: string[] = [];
  readonly #emitter = new EventEmitter();

  add(sign: string): void {
    this.all.push(sign);
    this.#emitter.emit('sign');
  }

  async find(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.all.find((sign) => pattern.test(sign));
      if (found !== undefined) return found;
      await once(this.#emitter, 'sign');
    }
  }
}
