import { Refused } from '../../protocol/refused.js';
import type { Retention } from '../store.js';
import type { Argument, Command, Connection, Script } from './link/connection.js';
import { away, isAway, isOfTheWay } from './link/errors.js';
import { ChannelFault } from './link/fault.js';
import type { Keys } from './link/keys.js';
import { Reply, refusalFrom } from './words/reply.js';

export interface RunnerParts {
  readonly connection: Connection;
  readonly keys: Keys;
  readonly retention: (channel: string, whole: boolean) => Retention;
  readonly identityMs: number;
  /** Makes the epochs of this process other than those of another one. */
  readonly salt: number;
  /** Undefined: the time is that of Redis, the same for all nodes. */
  readonly now: (() => number) | undefined;
  readonly onFault: (error: Error) => void;
  /** A life of the channel ended. */
  readonly ended: (channel: string, epoch: string) => Promise<void>;
  /** A fork is no more. */
  readonly released: (source: string, token: string) => Promise<void>;
}

/** What a script answered, and by which word. */
export interface Answer {
  readonly word: string;
  readonly reply: Reply;
}

/** Stands for no bound where a number is wanted. */
const NO_BOUND = '1e300';
const SALTS = 36 * 36;
/** The same fault is told again after so long. */
const TOLD_AGAIN_MS = 60_000;

/** Runs scripts on channels, and does what follows from their answers elsewhere. */
export class Runner {
  readonly #parts: RunnerParts;
  #told = '';
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /**
   * Throws what the script refuses, `unavailable` where it can't be asked (then it may have been done), and a ChannelFault
   * where Redis finds what it can't work with.
   */
  async run(
    script: Script,
    channel: string,
    own: readonly Argument[],
    moreKeys: readonly string[] = [],
  ): Promise<Answer> {
    const { connection, keys, ended, released } = this.#parts;
    const places = [...keys.channel(channel), ...moreKeys];
    const args = [...this.#common(channel), ...own];
    const items = await this.guard(() => connection.run(script, places, args)).catch((error: unknown) => {
      throw error instanceof Refused ? error : faultOf(error, channel);
    });
    const reply = new Reply(items);
    const [epoch, source, token] = [reply.text(), reply.text(), reply.text()];
    if (epoch !== '') await ended(channel, epoch);
    if (source !== '') await released(source, token);
    const word = reply.text();
    if (word === 'refused') throw refusalFrom(reply);
    return { word, reply };
  }

  ask(command: Command, ...args: readonly Argument[]): Promise<unknown> {
    return this.guard(() => this.#parts.connection.ask(command, ...args));
  }

  async guard<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refused || !isAway(error)) throw error;
      const isTold = isOfTheWay(error) && !this.#parts.connection.isReady; // by the connection, with the reason
      if (!isTold) this.fault(error);
      throw away(error);
    }
  }

  /** Something went wrong that is nobody's fault who asks: told once a minute, where it is the same. With the channel, if it is of one. */
  fault(error: unknown, channel?: string): void {
    const fault = faultOf(error, channel);
    const now = performance.now();
    if (fault.message === this.#told && now - this.#toldAtMs < TOLD_AGAIN_MS) return;
    this.#told = fault.message;
    this.#toldAtMs = now;
    this.#parts.onFault(fault);
  }

  #common(channel: string): string[] {
    const { now, keys, salt, identityMs, retention } = this.#parts;
    const bounds = [retention(channel, false), retention(channel, true)].flatMap(boundsOf);
    const time = now === undefined ? '' : String(now());
    return [time, keys.topic(channel), saltOf(channel, salt), String(identityMs), ...bounds];
  }
}

function faultOf(error: unknown, channel: string | undefined): Error {
  const fault = error instanceof Error ? error : new Error(String(error));
  return channel === undefined || fault instanceof ChannelFault ? fault : new ChannelFault(channel, fault);
}

/** Of two channels that are made in the same millisecond the epochs differ too, as one may become a fork of the other. */
function saltOf(channel: string, salt: number): string {
  let sum = salt;
  for (let at = 0; at < channel.length; at++) sum = (sum * 31 + channel.charCodeAt(at)) % SALTS;
  return sum.toString(36).padStart(2, '0');
}

function boundsOf({ messages, ageMs, bytes }: Retention): string[] {
  return [messages, ageMs, bytes].map((bound) => (Number.isFinite(bound) ? String(bound) : NO_BOUND));
}
