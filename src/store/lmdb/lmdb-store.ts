import type { Start } from '../../protocol/offset.js';
import type { Creation } from '../creation.js';
import type { Rules } from '../log/channels.js';
import { Channels, nextEpoch } from '../log/channels.js';
import type { MessageData, NewMessage } from '../message.js';
import { owned } from '../message.js';
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
import { Commits, hasEnded } from './commits.js';
import type { Environment, StoredTotals } from './environment.js';
import { Folder } from './folder/folder.js';
import type { ShelfParts } from './lmdb-shelf.js';
import { LmdbShelf } from './lmdb-shelf.js';
import { Sweeper } from './sweeper.js';

/** See StoreOptions. `maxBytes` is 16 GiB where nothing is said; the file may be somewhat larger. */
export interface LmdbStoreOptions extends StoreOptions {
  /** The data folder: made where it isn't there, and had by one process at a time. */
  readonly path: string;
  /**
   * True: an append is answered when the disk has it, and what is accepted survives the loss of power. False: it is
   * answered when the operating system has it, and survives the end of the process, however that comes; what was
   * accepted just before the loss of power may be gone, with the file in order. Default false.
   */
  readonly fsync?: boolean;
  /** Hears in a few words of what goes wrong and is nobody's fault who asks. Default: nobody does. */
  readonly onFault?: (error: Error) => void;
  /** Hears that the disk takes something again, after one such fault. */
  readonly onRecovery?: () => void;
}

const MAX_BYTES = 16 * 1024 ** 3;

/**
 * Logs in a file of a folder, by LMDB: what is accepted is there after the end of this process, at whatever moment that
 * comes; with `fsync`, also after the loss of power. Channels, offsets, producers and forks go on in the next process
 * as if nothing had been.
 *
 * All that comes while a commit is on its way goes with the next one. A disk that is full or fails refuses what is to
 * be written with `unavailable`, lets everybody read, and is tried again every second. Not promised: anything of a disk
 * that gives back other bytes than it was given.
 */
export class LmdbStore implements Store {
  readonly #watchers: Watchers;
  readonly #folder: Folder;
  readonly #rules: Rules;
  readonly #parts: Omit<ShelfParts, 'totals'>;
  readonly #commits: Commits;
  readonly #sweeper: Sweeper;
  readonly #now: () => number;
  readonly #onFault: (error: Error) => void;
  /** When channels of which it matters were last read, where the file doesn't say so yet. */
  readonly #usedAt = new Map<string, number>();
  #sweeping: Promise<void> | undefined;
  #ended: Promise<void> | undefined;

  private constructor(folder: Folder, options: LmdbStoreOptions, rules: Rules, watchers: Watchers) {
    const { tables } = folder;
    this.#folder = folder;
    this.#now = options.now ?? Date.now;
    this.#onFault = options.onFault ?? (() => {});
    this.#rules = rules;
    this.#watchers = watchers;
    this.#parts = {
      tables,
      keeping: keepingOf(options, MAX_BYTES),
      usedAt: (channel) => this.#usedAt.get(channel) ?? 0,
    };
    this.#commits = new Commits(
      {
        ...this.#parts,
        path: folder.path,
        rules: this.#rules,
        now: this.#now,
        tell: (news) => this.#watchers.tell(news),
        onFault: this.#onFault,
        onRecovery: options.onRecovery ?? (() => {}),
      },
      totalsOf(tables),
    );
    this.#sweeper = new Sweeper(tables, this.#usedAt);
  }

  /**
   * Opens the folder, and looks through it where it was not left in order by the process before. Throws `FolderFault`,
   * with a line for who runs the server, for one that is in use, damaged, of a newer version, or not to be written.
   */
  static async open(options: LmdbStoreOptions): Promise<LmdbStore> {
    const { path, fsync = false, now = Date.now } = options;
    const watchers = new Watchers();
    const rules = rulesOf(options, watchers);
    const folder = await Folder.open({ path, fsync, tear: (tables) => tear(tables, rules, now()) });
    return new LmdbStore(folder, options, rules, watchers);
  }

  async open(channel: string): Promise<Tail> {
    const tail = this.#look((channels) => channels.tailAsItIs(channel));
    return tail ?? this.#commits.do((channels) => channels.open(channel));
  }

  async create(channel: string, creation: Creation = {}): Promise<Created> {
    const messages = creation.messages?.map(owned);
    return this.#commits.do(
      (channels) => channels.create(channel, messages === undefined ? creation : { ...creation, messages }),
      bytesOf(messages ?? []),
    );
  }

  async append(
    channel: string,
    messages: readonly NewMessage[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    const own = messages.map(owned);
    return this.#commits.do((channels) => channels.append(channel, own, options), bytesOf(own));
  }

  async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    const page = this.#look((channels) => {
      if (channels.mustNoteUse(channel)) this.#usedAt.set(channel, this.#now());
      return channels.readAsItIs(channel, start, bound);
    });
    return page ?? this.#commits.do((channels) => channels.read(channel, start, bound));
  }

  async stat(channel: string): Promise<ChannelStat | undefined> {
    const isOver = this.#look((channels) => channels.isOver(channel));
    if (isOver) return this.#commits.do((channels) => channels.stat(channel));
    return this.#look((channels) => channels.stat(channel));
  }

  async list(after: string, limit: number): Promise<string[]> {
    return this.#look((channels) => channels.list(after, limit));
  }

  async close(channel: string): Promise<Tail> {
    return this.#commits.do((channels) => channels.close(channel));
  }

  async delete(channel: string): Promise<boolean> {
    return this.#commits.do((channels) => channels.delete(channel));
  }

  async watch(channel: string, watcher: Watcher): Promise<() => void> {
    if (this.#look((channels) => channels.isOver(channel)))
      await this.#commits.do((channels) => channels.settle(channel)); // it isn't kept by one who comes later
    const end = this.#watchers.add(channel, watcher);
    return () => {
      if (end()) this.#usedAt.set(channel, this.#now());
    };
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#commits
      .do((channels, shelf) => this.#sweeper.sweep(channels, shelf))
      .then(
        (written) => written(),
        () => {}, // the fault has been told, and the next sweep does it again
      )
      .finally(() => {
        this.#sweeping = undefined;
      });
    return this.#sweeping;
  }

  async ping(): Promise<void> {
    this.#look((channels) => channels.list('', 1));
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.#watchers.clear();
    await this.#commits.end();
    await this.#folder.close().catch(this.#onFault); // it is looked through at the next start, that is all
  }

  /** At what is written down, as it is now. */
  #look<Result>(work: (channels: Channels) => Result): Result {
    if (this.#commits.hasEnded) throw hasEnded(); // a file that is closed must not be read
    const shelf = new LmdbShelf({ ...this.#parts, totals: this.#commits.totals });
    return work(new Channels(shelf, this.#rules, this.#now()));
  }
}

function bytesOf(messages: readonly { readonly data: MessageData }[]): number {
  return messages.reduce((sum, { data }) => sum + data.length, 0);
}

function totalsOf({ totals }: Environment): StoredTotals {
  return totals.get('totals') ?? { usedBytes: 0, channels: 0, lastEpochAt: 0, lastId: 0 };
}

/** The logs go on in a new epoch: positions that they may have had, and have lost, must not be given out again. */
function tear(tables: Environment, rules: Rules, now: number): void {
  const totals = totalsOf(tables);
  const epoch = nextEpoch(totals, rules, now);
  tables.totals.putSync('totals', { ...totals, tear: epoch });
}
