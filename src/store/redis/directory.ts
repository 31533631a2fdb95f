import { Refused } from '../../protocol/refused.js';
import type { Connection } from './link/connection.js';
import { script } from './link/connection.js';
import type { Keys } from './link/keys.js';
import type { Runner } from './runner.js';
import { ENTER } from './scripts/directory.js';
import { YIELD } from './scripts/lives.js';
import { TAIL } from './scripts/reads.js';

export interface DirectoryParts {
  readonly keys: Keys;
  readonly maxChannels: number;
  readonly connection: Connection;
  readonly runner: Runner;
}

const scripts = { enter: script(ENTER), yields: script(YIELD), tail: script(TAIL) };
/** That are looked at for one that gives way. */
const CANDIDATES = 256;

/**
 * The names of all channels, sorted by bytes, in a key of its own. A channel is entered before it is made, and again after: one that exists is
 * in it, whatever others do meanwhile. Of what is in it some may not be there any more; the upkeep takes them out.
 */
export class Directory {
  readonly #parts: DirectoryParts;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** What is said where there is no room. */
  full(): Refused {
    return new Refused('too_many', `there are ${this.#parts.maxChannels} channels already`);
  }

  /** False where there are as many as there may be, and none of them gives way. */
  async enter(channel: string): Promise<boolean> {
    if (await this.#tryEnter(channel)) return true;
    return (await this.#makeRoom()) && this.#tryEnter(channel);
  }

  /** Names after this one, of which not all need to be there. */
  async names(after: string, limit: number): Promise<string[]> {
    const [names] = this.#parts.keys.directory;
    const from = after === '' ? '-' : `(${after}`;
    const found = await this.#parts.runner.ask(
      'zrange',
      names,
      from,
      '+',
      'BYLEX',
      'LIMIT',
      '0',
      String(limit),
    );
    return Array.isArray(found) ? found.map(String) : [];
  }

  /** It was deleted, and whoever needs room may find that out. */
  async ended(channel: string): Promise<void> {
    const [, blank] = this.#parts.keys.directory;
    await this.#parts.runner.ask('zadd', blank, '0', channel);
  }

  /** It isn't there any more. */
  async leave(channel: string): Promise<void> {
    for (const key of this.#parts.keys.directory) await this.#parts.runner.ask('zrem', key, channel);
    const { word } = await this.#parts.runner.run(scripts.tail, channel, ['0']);
    if (word !== 'absent') await this.#tryEnter(channel); // made meanwhile
  }

  async #tryEnter(channel: string): Promise<boolean> {
    const { keys, maxChannels, connection, runner } = this.#parts;
    const args = [channel, String(maxChannels)];
    return (await runner.guard(() => connection.run(scripts.enter, keys.directory, args))) === 1;
  }

  /** Forgets a channel that nobody has written to or looks at; how it is then. */
  async #yields(channel: string): Promise<'gone' | 'blank' | 'in use'> {
    const { reply } = await this.#parts.runner.run(scripts.yields, channel, []);
    return (['gone', 'blank'] as const)[reply.number()] ?? 'in use';
  }

  async #makeRoom(): Promise<boolean> {
    const [, blank] = this.#parts.keys.directory;
    let kept = 0;
    for (let looked = 0; looked < CANDIDATES; looked++) {
      const found = await this.#parts.runner.ask('zrange', blank, String(kept), String(kept));
      const channel = Array.isArray(found) && found.length > 0 ? String(found[0]) : undefined;
      if (channel === undefined) return false;
      const state = await this.#yields(channel);
      if (state === 'in use') await this.#parts.runner.ask('zrem', blank, channel);
      else if (state === 'blank') kept++;
      else {
        await this.leave(channel);
        return true;
      }
    }
    return false;
  }
}
