import { createHash } from 'node:crypto';

import { Refused } from '../../../protocol/refused.js';
import type { RedisAddress } from './address.js';
import type { Client } from './clients.js';
import { clientsOf } from './clients.js';

/** A script that runs in Redis. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

export type Argument = string | Buffer;

/** What happens on a connection. */
export interface ConnectionEvents {
  /** On a topic that was asked for. */
  message(topic: string, message: Buffer): void;
  /** Topics are heard no more, and have to be asked for again: what was said meanwhile is lost. */
  deaf(): void;
  /** Redis can be asked, after it could not; all that was heard before may be old. */
  back(): void;
  /** It can't be asked any more; again for each other reason why it still can't. */
  lost(error: Error): void;
}

/** Told of one time away. */
const MAX_REASONS = 10;

/** A client with what its types leave out: replies as bytes. */
type Bytewise = Client & { evalshaBuffer: Eval; evalBuffer: Eval };
type Eval = (text: string, keyCount: number, ...args: Argument[]) => Promise<unknown>;

/**
 * One way to ask Redis and one to hear it. While it is away nothing is queued: what is asked then fails at once, with
 * `unavailable`; what was under way when it went fails too, and may have been done or not.
 */
export class Connection {
  readonly #client: Bytewise;
  /** Of one server; in a cluster the library has one for each. */
  readonly #listener: Client;
  readonly #events: ConnectionEvents;
  /** Why it can't be asked, as far as that was told; undefined while it can. */
  #reasons: Set<string> | undefined;
  #hasEnded = false;

  private constructor(client: Client, listener: Client, events: ConnectionEvents) {
    this.#client = client as Bytewise; // the library makes them for every command
    this.#listener = listener;
    this.#events = events;
    this.#listen();
  }

  /** Resolves when it can be asked. Rejects with the reason, where one attempt is not enough. */
  static async open(address: RedisAddress, events: ConnectionEvents): Promise<Connection> {
    const { client, listener } = await clientsOf(address);
    const connection = new Connection(client, listener, events);
    try {
      await connection.#connect();
      return connection;
    } catch (error) {
      connection.end();
      throw error;
    }
  }

  /** True while it can be asked, and heard. */
  get isReady(): boolean {
    return this.#client.status === 'ready' && this.#listener.status === 'ready';
  }

  /** Runs a script; texts of its reply are bytes. Keys are on one hash slot. */
  async run({ text, sha }: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    this.#check(this.#client);
    try {
      return await this.#client.evalshaBuffer(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isNotKnown(error)) throw error;
      return this.#client.evalBuffer(text, keys.length, ...keys, ...args);
    }
  }

  /** A command of Redis; texts of its reply are texts. */
  async ask(command: Command, ...args: readonly Argument[]): Promise<unknown> {
    this.#check(this.#client);
    // each is a command of the library that takes texts and bytes
    const ask = this.#client[command] as (...args: readonly Argument[]) => Promise<unknown>;
    return ask.apply(this.#client, [...args]);
  }

  /** What a server says of itself; of a cluster, each master. */
  async info(): Promise<string[]> {
    const servers = 'nodes' in this.#client ? this.#client.nodes('master') : [this.#client];
    return Promise.all(servers.map((server) => server.info()));
  }

  /** Hears what is said on a topic, from when it resolves on. */
  async subscribe(topic: string): Promise<void> {
    this.#check(this.#listener);
    await this.#listener.ssubscribe(topic);
  }

  async unsubscribe(topic: string): Promise<void> {
    if (this.#listener.status === 'ready') await this.#listener.sunsubscribe(topic);
  }

  /** To be called about every second: a way to hear that is dead is noticed by that. */
  async ping(): Promise<void> {
    for (const client of this.#clients) this.#check(client);
    await Promise.all([...this.#clients].map((client) => client.ping()));
  }

  end(): void {
    this.#hasEnded = true;
    for (const client of this.#clients) client.disconnect();
  }

  get #clients(): ReadonlySet<Client> {
    return new Set([this.#client, this.#listener]);
  }

  #check(client: Client): void {
    if (client.status !== 'ready') throw new Refused('unavailable', 'the store is away');
  }

  async #connect(): Promise<void> {
    let reason: Error | undefined;
    const note = (error: Error) => {
      reason = error;
    };
    this.#client.on('error', note);
    try {
      // all of them: one that is cut off in the middle of it would throw where nobody catches
      const attempts = await Promise.allSettled([...this.#clients].map((client) => client.connect()));
      for (const attempt of attempts) if (attempt.status === 'rejected') throw reason ?? attempt.reason;
    } finally {
      this.#client.off('error', note);
    }
  }

  #listen(): void {
    for (const client of this.#clients) {
      client.on('error', (error: Error) => this.#lose(error));
      client.on('close', () => {
        if (this.#reasons === undefined) this.#lose(new Error('the connection was closed'));
      });
      client.on('ready', () => this.#find());
    }
    for (const event of ['+node', '-node', '+subscriber', '-subscriber'])
      if (this.#listener === this.#client) this.#client.on(event, () => this.#events.deaf());
    this.#listener.on('smessageBuffer', (topic: Buffer, message: Buffer) =>
      this.#events.message(topic.toString(), message),
    );
  }

  #lose(error: Error): void {
    const reasons = this.#reasons ?? new Set();
    if (this.#hasEnded || reasons.has(error.message) || reasons.size === MAX_REASONS) return;
    this.#reasons = reasons.add(error.message);
    this.#events.lost(error);
  }

  #find(): void {
    if (!this.isReady || this.#hasEnded) return;
    if (this.#reasons === undefined) return;
    this.#reasons = undefined;
    this.#events.deaf();
    this.#events.back();
  }
}

export type Command =
  | 'get'
  | 'set'
  | 'spublish'
  | 'xrangeBuffer'
  | 'xadd'
  | 'pexpire'
  | 'zrem'
  | 'zadd'
  | 'zrange';

function isNotKnown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
