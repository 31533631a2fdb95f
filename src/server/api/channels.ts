import type { EarshotNode } from '../../core/node.js';
import { JSON_TYPE } from '../../protocol/media.js';
import { formatOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { checkName } from './name.js';
import type { ListOptions } from './sessions.js';

/** One channel, as the server tells of it. */
export interface ChannelInfo {
  readonly channel: string;
  /** Before the oldest message that is kept. */
  readonly startOffset: string;
  /** The tail. */
  readonly offset: string;
  /** `application/json`, or what its bytes are. */
  readonly contentType: string;
  readonly messages: number;
  readonly bytes: number;
  /** When the last message came that is kept, in ms since 1970; null where there is none. */
  readonly lastAt: number | null;
  /** True where nothing will ever follow. */
  readonly closed: boolean;
  /** Subscriptions on this node. */
  readonly subscriptions: number;
  /** The pattern of the rule that holds here. */
  readonly rule: string;
}

const PAGE = 100;
const MAX_PAGE = 1000;

/** The channels of the store. All of it is past every policy. */
export class ChannelRegistry {
  readonly #node: EarshotNode;

  constructor(node: EarshotNode) {
    this.#node = node;
  }

  /** The names of those that exist, sorted by bytes: 100 unless a `limit` says otherwise, 1,000 at most. */
  list({ after = '', limit = PAGE }: ListOptions = {}): Promise<string[]> {
    return this.#node.store.list(after, Math.min(limit, MAX_PAGE));
  }

  /** undefined where there is no such channel. Rejects with `bad_channel`. */
  async info(channel: string): Promise<ChannelInfo | undefined> {
    checkName(channel);
    const stat = await this.#node.store.stat(channel);
    if (stat === undefined) return undefined;
    const { start, tail, offset, contentType, messages, bytes, lastAt = null } = stat;
    return {
      channel,
      startOffset: formatOffset(start.epoch, start.seq),
      offset,
      contentType,
      messages,
      bytes,
      lastAt,
      closed: tail.closed,
      subscriptions: this.#node.hub.subscriptionsOf(channel),
      rule: this.#node.policy.rule(channel).pattern,
    };
  }

  /**
   * Makes a channel of JSON, which stays until it is deleted. Twice is the same as once. Gives the offset of its tail.
   * Rejects with `bad_channel`, `too_many`, and `conflict` where a channel is there that is closed, has a lifetime or
   * another type, or is a fork.
   */
  async create(channel: string): Promise<string> {
    checkName(channel);
    return (await this.#node.store.create(channel, { contentType: JSON_TYPE })).offset;
  }

  /** Closes a channel: it can be read, and takes no more. Gives the offset of its end. Rejects with `not_found`. */
  async close(channel: string): Promise<string> {
    await this.#check(channel);
    const { epoch, seq } = await this.#node.store.close(channel);
    return formatOffset(epoch, seq);
  }

  /**
   * Forgets a channel and all that is in it; its subscriptions end with `gone`. Rejects with `not_found`, and with
   * `gone` where it was deleted before and has forks.
   */
  async delete(channel: string): Promise<void> {
    checkName(channel);
    if (!(await this.#node.store.delete(channel))) throw new Refused('not_found', 'there is no such channel');
  }

  async #check(channel: string): Promise<void> {
    checkName(channel);
    if ((await this.#node.store.stat(channel)) === undefined) {
      throw new Refused('not_found', 'there is no such channel');
    }
  }
}
