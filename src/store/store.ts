import type { Producer } from '../protocol/commands.js';
import type { Position, Start } from '../protocol/offset.js';
import type { Creation, Lifetime } from './creation.js';
import type { NewMessage, StoredMessage } from './message.js';

/** Where a log ends. */
export interface Tail {
  readonly epoch: string;
  /** Of the last message; 0 where there has been none. */
  readonly seq: number;
  /** True where nothing will ever follow. */
  readonly closed: boolean;
}

/** How messages are appended. */
export interface AppendOptions {
  /** Throws `conflict` where the channel is of another type. Default `application/json`. */
  readonly contentType?: string;
  /** All messages of the append count as one of the producer's. */
  readonly producer?: Producer | undefined;
  /** Sorts by bytes after that of every append before it to this channel; else `conflict` (Durable Streams, `Stream-Seq`). */
  readonly order?: string | undefined;
  /** True: the log ends with these messages, of which there may be none. Default false. */
  readonly closes?: boolean;
  /** False: a channel that doesn't exist is not made, but `not_found`. Default true. */
  readonly creates?: boolean;
}

/** What an append came to. */
export interface Appended {
  /** After the last of the messages. */
  readonly offset: string;
  /**
   * True where this (id, epoch, seq) was stored before: `offset` is the one it got then, for at least the last
   * 60 appends of a producer, and for an older one a later offset of that producer.
   */
  readonly duplicate: boolean;
  /** True where the log takes no more. */
  readonly closed: boolean;
  /** Of the producer, where there is one: the highest `seq` of its epoch that is stored. */
  readonly producerSeq?: number;
}

/** What making a channel came to. */
export interface Created {
  /** False where it existed, and is what was asked for. */
  readonly created: boolean;
  readonly tail: Tail;
  /** Where it ends, as an offset. */
  readonly offset: string;
  readonly contentType: string;
}

/** What a log is like at a moment. */
export interface ChannelStat {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  /** Before the oldest message that is kept. */
  readonly start: Position;
  readonly tail: Tail;
  /** Where it ends, as an offset. */
  readonly offset: string;
  readonly messages: number;
  /** What the messages take, as retention counts it. */
  readonly bytes: number;
  /** When the last message came, in ms since 1970; undefined where none is kept. */
  readonly lastAt: number | undefined;
}

/** How much of a log one read takes at most. A page holds one message at least, where there is one. */
export interface ReadBound {
  readonly messages: number;
  readonly bytes: number;
}

/** A stretch of a log, in order and without a hole. */
export interface Page {
  readonly messages: readonly StoredMessage[];
  /** Where the page begins, as an offset. */
  readonly startOffset: string;
  /** Where reading goes on: after the last of `messages`. */
  readonly epoch: string;
  readonly seq: number;
  /** The same, as an offset. */
  readonly offset: string;
  /**
   * Set where what followed the asked position is no longer kept, and the page begins at the oldest
   * message that is and that the reader can't have had: `retention` took it, or the channel was deleted and made again, or lost its end with the machine
   * that it was on (`reset`).
   */
  readonly lost: 'retention' | 'reset' | undefined;
  /** True where nothing follows yet. */
  readonly upToDate: boolean;
  /** True where the log is closed. */
  readonly closed: boolean;
}

/**
 * How long a log is kept. What exceeds any of the three goes, oldest first. A count of 0 keeps only
 * what is in flight: live readers get it, one that is behind is told of a gap.
 */
export interface Retention {
  readonly messages: number;
  readonly ageMs: number;
  readonly bytes: number;
}

/**
 * Hears what happens to one channel. It may hear late, twice or not at all of an append
 * (a reader compares the message's `seq` with its position and reads the log when they don't join),
 * but never before the message can be read.
 */
export interface Watcher {
  appended(message: StoredMessage, epoch: string): void;
  closed(tail: Tail): void;
  deleted(): void;
  /** The log goes on to there, and what lies between was not told and won't be: it is to be read. */
  moved(tail: Tail): void;
}

/**
 * Where logs live. The truth: a message is accepted once `append` resolves, and not before.
 *
 * - Appends to one channel take effect in the order of the calls, whatever the order of their answers.
 * - `append` checks the producer, gives the offsets, makes all its messages readable and closes, in one atomic step.
 * - Offsets of a channel sort in log order and are never given out again, not even after `delete`.
 * - A fork has the offsets of its source for what it has of it; `epoch` and `seq` of its pages are its own.
 * - A channel whose lifetime is over is deleted, at the latest when somebody asks for it.
 * - What a peer can't have is thrown as `Refused` with its code: `closed` (as `Closed`), `fenced` (as `Fenced`),
 *   `out_of_sequence` (as `OutOfSequence`), `conflict`, `not_found`, `bad_offset`, `too_many`, `gone` for a channel
 *   that was deleted while it has forks, and `unavailable` where the store doesn't answer or has no room.
 * - Not promised: what survives the end of the process. Each implementation says that itself.
 *
 * test/contract/store.ts is this text as a suite; a new store passes it.
 */
export interface Store {
  /**
   * The tail of a channel. One that doesn't exist gets its identity here, so that a reader has a position
   * before the first message comes.
   */
  open(channel: string): Promise<Tail>;

  /**
   * Makes a channel, which then stays until it is deleted or its lifetime is over, empty or not. The identity that
   * readers may hold already remains, but for a fork, which begins a later life. Making it twice is making it once:
   * what is there must be what is asked for (type, lifetime, closed or not, what it is a fork of), else `conflict`, and
   * its messages are left as they are. A name that is `gone` is a `conflict` too.
   */
  create(channel: string, creation?: Creation): Promise<Created>;

  /**
   * Adds messages, all of them or none. With a producer, as Durable Streams §5.2.1 rules: stored once, however often
   * it is repeated. Of what stands in the way this is told first: `fenced`, `closed`, type, producer's seq, order.
   * Closing what is closed, with no message and no producer, is no fault.
   * A channel that has an identity and never had a message doesn't exist, unless it was made by `create`.
   */
  append(channel: string, messages: readonly NewMessage[], options?: AppendOptions): Promise<Appended>;

  /** The messages after `start`; `now` gives an empty page at the tail. Never waits for more to come. */
  read(channel: string, start: Start, bound: ReadBound): Promise<Page>;

  /** What a channel is like; undefined where it doesn't exist. Gives it no identity, and is no use of it. */
  stat(channel: string): Promise<ChannelStat | undefined>;

  /** The names of channels that exist, sorted by bytes: at most `limit` of those after `after`. */
  list(after: string, limit: number): Promise<string[]>;

  /** Ends the log: it can be read, and takes no more. Closing twice is closing once. */
  close(channel: string): Promise<Tail>;

  /**
   * Forgets the log and its producers; true where there was one. A later one of that name has a later epoch. While
   * others are forks of it the name stays taken, and is `gone`; the forks keep what they have of it.
   */
  delete(channel: string): Promise<boolean>;

  /** Calls the watcher from now on; resolves when it does, with the way to end it. */
  watch(channel: string, watcher: Watcher): Promise<() => void>;

  /**
   * Bounded upkeep: a stretch of the channels is freed of what is no longer kept. Called every second; resolves when it
   * is over, and also where the store could not do it now.
   */
  sweep(): Promise<void>;

  /** Resolves where the store can be read; rejects with the reason where not. */
  ping(): Promise<void>;

  /** Lets go of everything. No other call may follow. */
  end(): Promise<void>;
}
