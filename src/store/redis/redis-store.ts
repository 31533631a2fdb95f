import type { Start } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import type { Creation } from '../creation.js';
import type { NewMessage } from '../message.js';
import { owned } from '../message.js';
import type { StoreOptions } from '../options.js';
import { keepingOf, rulesOf } from '../options.js';
import { Pages } from '../pages.js';
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
import type { Work } from './appends.js';
import { Appends } from './appends.js';
import { Broadcast } from './broadcast.js';
import { Creations } from './creations.js';
import { Directory } from './directory.js';
import { Ears } from './ears.js';
import { Forks } from './forks.js';
import { Heard } from './heard.js';
import { Lanes } from './lanes.js';
import type { RedisAddress } from './link/address.js';
import type { Argument, Connection, Script } from './link/connection.js';
import { script } from './link/connection.js';
import { Keys } from './link/keys.js';
import { connect } from './open.js';
import type { Answer } from './runner.js';
import { Runner } from './runner.js';
import { DELETE, TOUCH } from './scripts/lives.js';
import { CLOSE, READ, STATE, TAIL, THERE } from './scripts/reads.js';
import { Upkeep } from './upkeep.js';
import { bytesOf, pageFrom } from './words/page.js';
import type { State } from './words/reply.js';
import { glanceFrom, stateFrom, statOf, tailFrom } from './words/reply.js';

/** See StoreOptions. How much there may be in all is Redis' own to say, by its `maxmemory`. */
export interface RedisStoreOptions extends Omit<StoreOptions, 'maxBytes' | 'now'> {
  readonly address: RedisAddress;
  /** The time in ms since 1970. Default: that of Redis, which is the same for all nodes. */
  readonly now?: () => number;
  /** Hears in a few words of what goes wrong and is nobody's fault who asks. Default: nobody does. */
  readonly onFault?: (error: Error) => void;
  /** Hears that Redis can be asked again, after it could not. */
  readonly onRecovery?: () => void;
  /** Hears at the start, in a line each, of what is not as it should be. */
  readonly onWarning?: (text: string) => void;
}

const scripts = {
  tail: script(TAIL),
  read: script(READ),
  state: script(STATE),
  there: script(THERE),
  close: script(CLOSE),
  delete: script(DELETE),
  touch: script(TOUCH),
};

const LISTED_AT_ONCE = 100;
/** Later than any life begins. */
const LATEST = 36 ** 9 - 1;

/**
 * Logs in Redis or Valkey, for any number of nodes: what one appends the others read, at the same offsets. A step on a channel is one
 * script, so it is done whole or not at all. Readers are told by its pub/sub, which may lose what it is given; each node looks after
 * its channels, and who has missed something reads it.
 *
 * What is accepted survives the end of every node. What it survives of Redis is Redis' own to say: with `appendonly yes` its end, but for
 * the last second where it is killed (`appendfsync always`: nothing); with a failover, what its replica had not got yet is lost. Whenever
 * that may have been, the logs go on in a new epoch: no offset means two messages, and who had more than is left is told of a
 * gap. While Redis is away everything is refused with `unavailable`, at most 3 s after it was asked; what was asked just before
 * may have been done.
 */
export class RedisStore implements Store {
  /** Where nodes of this store hear each other. */
  readonly broadcast: Broadcast;
  readonly #connection: Connection;
  readonly #runner: Runner;
  readonly #ears: Ears;
  readonly #lanes: Lanes<Work, Appended>;
  readonly #directory: Directory;
  readonly #forks: Forks;
  readonly #upkeep: Upkeep;
  readonly #creations: Creations;
  readonly #pages = new Pages((...args) => this.#readNow(...args));
  #sweeping: Promise<void> | undefined;

  private constructor(connection: Connection, keys: Keys, options: RedisStoreOptions, heard: Heard) {
    const watchers = new Watchers();
    const { maxChannels, identityMs, salt } = rulesOf(options, watchers);
    const keeping = keepingOf(options, Number.POSITIVE_INFINITY);
    const onFault = options.onFault ?? (() => {});
    this.#connection = connection;
    this.#runner = new Runner({
      connection,
      keys,
      identityMs,
      onFault,
      salt,
      now: options.now,
      retention: (channel, whole) => keeping(channel, whole).retention,
      ended: (channel, epoch) => this.#lifeEnded(channel, epoch),
      released: (source, token) => this.#forks.giveBack(source, token),
    });
    this.#directory = new Directory({ connection, keys, maxChannels, runner: this.#runner });
    this.#forks = new Forks(keys, this.#runner);
    this.#upkeep = new Upkeep({
      keys,
      runner: this.#runner,
      directory: this.#directory,
      forks: this.#forks,
    });
    this.#ears = new Ears({
      watchers,
      onFault: (error, channel) => {
        if (!(error instanceof Refused)) this.#runner.fault(error, channel);
      },
      subscribe: (channel) => this.#runner.guard(() => connection.subscribe(keys.topic(channel))),
      unsubscribe: (channel) => connection.unsubscribe(keys.topic(channel)),
      tail: (channel, isUse) => this.#tailOf(channel, isUse),
      glance: async (channel) => {
        const text = await this.#runner.ask('get', keys.channel(channel)[0]);
        return typeof text === 'string'
          ? glanceFrom(text, identityMs, (options.now ?? Date.now)())
          : undefined;
      },
      open: (channel) => this.#open(channel),
      touch: async (channel, at) => void (await this.#runner.run(scripts.touch, channel, [String(at ?? '')])),
      now: options.now,
    });
    this.#creations = new Creations({
      runner: this.#runner,
      directory: this.#directory,
      forks: this.#forks,
      ears: this.#ears,
    });
    const appends = new Appends(this.#runner, this.#directory, this.#ears);
    this.#lanes = new Lanes((channel, works) => appends.doTogether(channel, works));
    this.broadcast = new Broadcast(this.#runner, keys.bus, () => connection.isReady);
    this.#listen(connection, keys, heard, onFault);
  }

  /** Connects. Throws a `RedisFault`, with a line for who runs the server, where it can't, or where that Redis can't be used. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const heard = new Heard(options);
    const connection = await connect(options.address, {
      events: heard,
      warn: options.onWarning ?? (() => {}),
    });
    try {
      const keys = new Keys(options.address);
      const store = new RedisStore(connection, keys, options, heard);
      await connection.subscribe(keys.bus);
      return store;
    } catch (error) {
      connection.end();
      throw error;
    }
  }

  open(channel: string): Promise<Tail> {
    return this.#open(channel);
  }

  create(channel: string, creation: Creation = {}): Promise<Created> {
    const messages = creation.messages?.map(owned) ?? [];
    return this.#lanes.alone(
      channel,
      () => this.#creations.create(channel, creation, messages),
      bytesOf(messages),
    );
  }

  append(channel: string, messages: readonly NewMessage[], options: AppendOptions = {}): Promise<Appended> {
    const own = messages.map(owned);
    return this.#lanes.together(channel, { messages: own, options }, bytesOf(own));
  }

  read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    return this.#pages.read(channel, start, bound);
  }

  async stat(channel: string): Promise<ChannelStat | undefined> {
    await this.#ears.settled(channel);
    const state = await this.#state(channel);
    if (state?.gone === true) throw new Refused('gone', 'the channel was deleted');
    return state === undefined || state.blank === true ? undefined : statOf(state);
  }

  async list(after: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    let last = after;
    while (found.length < limit) {
      const names = await this.#directory.names(last, LISTED_AT_ONCE);
      const are = await Promise.all(names.map((name) => this.#isThere(name)));
      found.push(...names.filter((_, at) => are[at]));
      last = names.at(-1) ?? last;
      if (names.length < LISTED_AT_ONCE) break;
    }
    return found.slice(0, limit);
  }

  close(channel: string): Promise<Tail> {
    return this.#lanes.alone(channel, async () => {
      const { reply } = await this.#orMade(scripts.close, channel, []);
      const tail = tailFrom(reply);
      this.#ears.stored(channel, tail, []);
      return tail;
    });
  }

  delete(channel: string): Promise<boolean> {
    return this.#lanes.alone(channel, async () => {
      const { reply } = await this.#run(scripts.delete, channel, []);
      return reply.flag();
    });
  }

  watch(channel: string, watcher: Watcher): Promise<() => void> {
    return this.#ears.watch(channel, watcher);
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async ping(): Promise<void> {
    await this.#runner.guard(() => this.#connection.ping());
  }

  async end(): Promise<void> {
    await this.#lanes.rest();
    await this.broadcast.rest();
    this.#ears.end();
    this.#connection.end();
  }

  /** What can't be done now has been told, and the next one does it again. */
  async #sweep(): Promise<void> {
    try {
      await this.ping();
      await this.#ears.tick();
      await this.#upkeep.sweep();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }

  #listen(connection: Connection, keys: Keys, heard: Heard, onFault: (error: Error) => void): void {
    heard.take({
      message: (topic, message) => {
        const channel = topic === keys.bus ? undefined : keys.channelOf(topic);
        try {
          if (channel === undefined) this.broadcast.hear(message.toString());
          else this.#ears.hear(channel, message);
        } catch (error) {
          this.#runner.fault(error, channel); // whoever can publish there must not end this process
        }
      },
      deaf: () => {
        connection.subscribe(keys.bus).catch(onFault);
        this.#ears.deafen();
      },
    });
  }

  async #lifeEnded(channel: string, epoch: string): Promise<void> {
    this.#ears.deleted(channel, epoch);
    await this.#directory.ended(channel);
  }

  async #open(channel: string): Promise<Tail> {
    const { reply } = await this.#orMade(scripts.tail, channel, []);
    return tailFrom(reply);
  }

  async #tailOf(channel: string, isUse: boolean): Promise<Tail | number> {
    try {
      const { word, reply } = await this.#runner.run(scripts.tail, channel, ['0', isUse ? '1' : '0']);
      return word === 'absent' ? reply.number() : tailFrom(reply);
    } catch (error) {
      if (error instanceof Refused && error.code === 'gone') return LATEST;
      throw error;
    }
  }

  async #readNow(channel: string, start: Start, { messages, bytes }: ReadBound): Promise<Page> {
    const place = typeof start === 'string' ? [start, '0'] : [start.epoch, String(start.seq)];
    const { reply } = await this.#orMade(scripts.read, channel, [...place, String(messages), String(bytes)]);
    return pageFrom(reply);
  }

  async #state(channel: string): Promise<State | undefined> {
    const { word, reply } = await this.#runner.run(scripts.state, channel, []);
    return word === 'absent' ? undefined : stateFrom(reply.text());
  }

  async #isThere(channel: string): Promise<boolean> {
    const { reply } = await this.#run(scripts.there, channel, []);
    return reply.flag();
  }

  async #orMade(script: Script, channel: string, own: readonly Argument[]): Promise<Answer> {
    const found = await this.#run(script, channel, ['0', ...own]);
    if (found.word !== 'absent') return found;
    if (!(await this.#directory.enter(channel))) throw this.#directory.full();
    const made = await this.#runner.run(script, channel, ['1', ...own]);
    await this.#directory.enter(channel);
    return made;
  }

  /** Not before it is known there who doesn't watch it any more. */
  async #run(script: Script, channel: string, own: readonly Argument[]): Promise<Answer> {
    await this.#ears.settled(channel);
    return this.#runner.run(script, channel, own);
  }
}
