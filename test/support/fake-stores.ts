import type { Start } from '../../src/protocol/offset.js';
import type { Creation } from '../../src/store/creation.js';
import type { NewMessage, StoredMessage } from '../../src/store/message.js';
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
} from '../../src/store/store.js';

/** A store that hands everything on. */
export class Wrapped implements Store {
  /** How often it was read. */
  reads = 0;
  protected readonly inner: Store;

  constructor(inner: Store) {
    this.inner = inner;
  }

  open(channel: string): Promise<Tail> {
    return this.inner.open(channel);
  }
  append(channel: string, messages: readonly NewMessage[], options?: AppendOptions): Promise<Appended> {
    return this.inner.append(channel, messages, options);
  }
  create(channel: string, creation?: Creation): Promise<Created> {
    return this.inner.create(channel, creation);
  }
  stat(channel: string): Promise<ChannelStat | undefined> {
    return this.inner.stat(channel);
  }
  list(after: string, limit: number): Promise<string[]> {
    return this.inner.list(after, limit);
  }
  read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    this.reads++;
    return this.inner.read(channel, start, bound);
  }
  close(channel: string): Promise<Tail> {
    return this.inner.close(channel);
  }
  delete(channel: string): Promise<boolean> {
    return this.inner.delete(channel);
  }
  watch(channel: string, watcher: Watcher): Promise<() => void> {
    return this.inner.watch(channel, watcher);
  }
  sweep(): Promise<void> {
    return this.inner.sweep();
  }
  ping(): Promise<void> {
    return this.inner.ping();
  }
  end(): Promise<void> {
    return this.inner.end();
  }
}

type Call = 'open' | 'append' | 'read' | 'watch';

interface Hold {
  readonly channel: string | undefined;
  readonly until: Promise<void>;
}

/** A store whose answers wait, or fail, as it is told. What is called has its effect at once. */
export class SlowStore extends Wrapped {
  /** Appends that were called and are not answered. */
  appending = 0;
  mostAppending = 0;
  readonly #held = new Map<Call, Hold>();
  /** Thrown by the next calls of that name. */
  readonly faults = new Map<Call, Error>();

  /** Answers to these calls, for all channels or one, wait until the returned function is called. */
  hold(call: Call, channel?: string): () => void {
    let letGo = () => {};
    this.#held.set(call, { channel, until: new Promise((resolve) => (letGo = resolve)) });
    return () => {
      this.#held.delete(call);
      letGo();
    };
  }

  override open(channel: string): Promise<Tail> {
    return this.#answer('open', channel, () => super.open(channel));
  }
  override async append(
    channel: string,
    messages: readonly NewMessage[],
    options?: AppendOptions,
  ): Promise<Appended> {
    this.appending++;
    this.mostAppending = Math.max(this.mostAppending, this.appending);
    try {
      return await this.#answer('append', channel, () => super.append(channel, messages, options));
    } finally {
      this.appending--;
    }
  }
  override read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#answer('read', channel, () => super.read(channel, start, bound));
  }
  override watch(channel: string, watcher: Watcher): Promise<() => void> {
    return this.#answer('watch', channel, () => super.watch(channel, watcher));
  }

  async #answer<Answer>(call: Call, channel: string, ask: () => Promise<Answer>): Promise<Answer> {
    const fault = this.faults.get(call);
    if (fault !== undefined) throw fault;
    const answer = await ask();
    const hold = this.#held.get(call);
    if (hold !== undefined && (hold.channel === undefined || hold.channel === channel)) await hold.until;
    return answer;
  }
}

/** What becomes of an announcement: nothing, or it is made now, or twice, or with those that wait. */
export type Fate = 'lost' | 'prompt' | 'twice' | 'late';

/** A store whose announcements of appends go astray, as a network's may. Closing is told. */
export class AstrayStore extends Wrapped {
  tellsOfDeletes = true;
  fate: (message: StoredMessage) => Fate = () => 'prompt';
  /** For how many turns of the promises an answer to a reader is under way: it may be old when it comes. */
  hops: () => number = () => 0;
  #late: (() => void)[] = [];

  /** The late ones come, in the order that `shuffle` gives them. */
  comeLate(shuffle: (late: (() => void)[]) => (() => void)[] = (late) => late): void {
    const late = this.#late;
    this.#late = [];
    for (const announce of shuffle(late)) announce();
  }

  override open(channel: string): Promise<Tail> {
    return this.#underWay(super.open(channel));
  }
  override read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#underWay(super.read(channel, start, bound));
  }
  override watch(channel: string, watcher: Watcher): Promise<() => void> {
    const watching = super.watch(channel, {
      appended: (message, epoch) => {
        const announce = () => watcher.appended(message, epoch);
        const fate = this.fate(message);
        if (fate === 'late') this.#late.push(announce);
        if (fate === 'prompt' || fate === 'twice') announce();
        if (fate === 'twice') announce();
      },
      closed: (tail) => watcher.closed(tail),
      deleted: () => this.tellsOfDeletes && watcher.deleted(),
      moved: (tail) => watcher.moved(tail),
    });
    return this.#underWay(watching);
  }

  async #underWay<Answer>(asked: Promise<Answer>): Promise<Answer> {
    const answer = await asked;
    for (let hops = this.hops(); hops > 0; hops--) await Promise.resolve();
    return answer;
  }
}
