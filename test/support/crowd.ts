import type { Client } from '../../src/client/node.js';
import { connect } from '../../src/client/node.js';
import type { Teardown } from './spawn.js';

/** One way of a client from a goodbye to where it was; times by `performance.now()`, in ms. */
export interface Return {
  /** When it was told to come back, and the latest that it was advised. */
  readonly toldAtMs: number;
  readonly latestMs: number;
  /** How often it had to try. */
  attempts: number;
  triedAtMs: number;
  /** When the last of its subscriptions stood again. */
  backAtMs: number;
}

/** Many clients that follow a few channels each. What is published must be 1, 2, 3, … in each channel. */
export interface Crowd {
  /** What no client should have seen: of all of them. */
  readonly faults: string[];
  /** In the order in which they were told. */
  readonly returns: readonly Return[];
  /** One more client; resolves when all its subscriptions stand. */
  join(url: string, channels: readonly string[]): Promise<void>;
  /** Resolves when so many returns have been made, by all. */
  made(returns: number): Promise<void>;
  /** Resolves when all have heard what was published: how much, by channel. */
  heard(published: ReadonlyMap<string, number>): Promise<void>;
}

/** It ends with the test. */
export function crowd(t: Teardown): Crowd {
  const members: Member[] = [];
  const log = new Log();
  t.teardown(() => {
    for (const { client } of members) client.close();
  });
  return {
    faults: log.faults,
    returns: log.returns,
    join(url, channels) {
      const member = new Member(`client ${members.length}`, url, channels, log);
      members.push(member);
      return member.joined;
    },
    made: (returns) => log.until(() => log.back >= returns),
    heard(published) {
      const due = members.flatMap(({ channels }) => channels.map((channel) => published.get(channel) ?? 0));
      const total = due.reduce((sum, count) => sum + count, 0);
      return log.until(() => log.received >= total);
    },
  };
}

/** What all of them note. */
class Log {
  readonly faults: string[] = [];
  readonly returns: Return[] = [];
  received = 0;
  back = 0;
  readonly #waiting = new Set<() => void>();

  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  changed(): void {
    for (const look of [...this.#waiting]) look();
  }
}

class Member {
  readonly client: Client;
  readonly joined: Promise<void>;
  readonly channels: readonly string[];
  readonly #name: string;
  readonly #log: Log;
  readonly #standing = new Set<string>();
  #hasJoined = () => {};
  /** Under way. */
  #return: Return | undefined;

  constructor(name: string, url: string, channels: readonly string[], log: Log) {
    this.#name = name;
    this.#log = log;
    this.channels = channels;
    this.joined = new Promise((resolve) => {
      this.#hasJoined = resolve;
    });
    this.client = connect(url);
    this.client.on('bye', ({ afterMs }) => this.#told(afterMs));
    this.client.on('state', (state, { code }) => this.#went(state, code));
    this.client.on('error', (error) => this.#fault(`was told ${error.code}`));
    for (const channel of channels) this.#follow(channel);
  }

  #follow(channel: string): void {
    const subscription = this.client.subscribe(channel, { offset: '-1' });
    let [last, times] = [0, 0];
    subscription.on('message', ({ data }) => {
      if (data !== ++last) this.#fault(`got ${data} of ${channel} in place of ${last}`);
      this.#log.received++;
      this.#log.changed();
    });
    subscription.on('resumed', ({ resume }) => {
      if (resume !== (times++ === 0 ? 'none' : 'complete')) this.#fault(`resumed ${channel}: ${resume}`);
      this.#stands(channel);
    });
    subscription.on('gap', ({ reason }) => this.#fault(`was told of a gap in ${channel}: ${reason}`));
    subscription.on('ended', () => this.#fault(`lost its subscription to ${channel}`));
  }

  #told(afterMs: readonly [number, number] | undefined): void {
    const toldAtMs = performance.now();
    if (afterMs === undefined) this.#fault('was not told when to come back');
    const latestMs = toldAtMs + (afterMs?.[1] ?? 0);
    this.#return = { toldAtMs, latestMs, attempts: 0, triedAtMs: 0, backAtMs: 0 };
    this.#log.returns.push(this.#return);
  }

  #went(state: string, code: string | undefined): void {
    if (state === 'waiting') {
      this.#standing.clear();
      if (code !== 'draining') this.#fault(`was cut: ${code}`);
    } else if (state === 'connecting' && this.#return !== undefined) {
      if (this.#return.attempts++ === 0) this.#return.triedAtMs = performance.now();
    }
  }

  #stands(channel: string): void {
    this.#standing.add(channel);
    if (this.#standing.size < this.channels.length) return;
    this.#hasJoined();
    if (this.#return === undefined) return;
    this.#return.backAtMs = performance.now();
    this.#return = undefined;
    this.#log.back++;
    this.#log.changed();
  }

  #fault(what: string): void {
    this.#log.faults.push(`${this.#name} ${what}`);
  }
}
