import type { RedisAddress } from './address.js';

/** The names of what is in Redis. What is of one channel has its name in braces, and so one hash slot. */
export class Keys {
  readonly #prefix: string;
  readonly #topics: string;

  constructor({ prefix, db }: Pick<RedisAddress, 'prefix' | 'db'>) {
    this.#prefix = prefix;
    this.#topics = db === 0 ? prefix : `${prefix}@${db}`; // topics are the same in all databases
  }

  /** Of one channel: its state, messages, producers and forks. */
  channel(channel: string): [state: string, messages: string, producers: string, forks: string] {
    const state = `${this.#prefix}:c:{${channel}}`;
    return [state, `${state}:messages`, `${state}:producers`, `${state}:forks`];
  }

  /** Where the messages of a fork are gathered until it is made. */
  draft(channel: string, token: string): string {
    return `${this.#prefix}:c:{${channel}}:draft:${token}`;
  }

  /** Where a channel is told of. */
  topic(channel: string): string {
    return `${this.#topics}:c:{${channel}}`;
  }

  /** The channel that a topic is of. */
  channelOf(topic: string): string {
    return topic.slice(`${this.#topics}:c:{`.length, -1);
  }

  /** Where nodes hear each other. */
  get bus(): string {
    return `${this.#topics}:bus`;
  }

  /** The names of channels, and of those that may be blank. */
  get directory(): [names: string, blank: string] {
    return [`${this.#prefix}:{channels}`, `${this.#prefix}:{channels}:blank`];
  }

  /** Who does the upkeep. */
  get sweeper(): string {
    return `${this.#prefix}:sweeper`;
  }

  /** In which version all this is written. */
  get format(): string {
    return `${this.#prefix}:format`;
  }
}
