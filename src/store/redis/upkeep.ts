import { randomUUID } from 'node:crypto';
import type { Directory } from './directory.js';
import type { Forks } from './forks.js';
import { script } from './link/connection.js';
import type { Keys } from './link/keys.js';
import type { Runner } from './runner.js';
import { SWEEP } from './scripts/lives.js';
import { STATE } from './scripts/reads.js';
import type { Reply } from './words/reply.js';
import { BadReply, stateFrom } from './words/reply.js';

export interface UpkeepParts {
  readonly runner: Runner;
  readonly keys: Keys;
  readonly directory: Directory;
  readonly forks: Forks;
}

const scripts = { sweep: script(SWEEP), state: script(STATE) };

const SWEPT_AT_ONCE = 500;
const ASKED_AT_ONCE = 50;
/** One node does it, and another one soon after that one is gone. */
const LEASE_MS = 5000;
/** A fork that was noted so long ago, and isn't there, won't be. */
const NOTED_MS = 600_000;

/** The upkeep of all channels, by one of the nodes at a time. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #id = randomUUID();
  #after = '';

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  /** A stretch of the channels, where it is this node's turn. */
  async sweep(): Promise<void> {
    if (!(await this.#isOurs())) return;
    const names = await this.#parts.directory.names(this.#after, SWEPT_AT_ONCE);
    this.#after = names.length < SWEPT_AT_ONCE ? '' : (names.at(-1) ?? '');
    for (let from = 0; from < names.length; from += ASKED_AT_ONCE)
      await Promise.all(names.slice(from, from + ASKED_AT_ONCE).map((channel) => this.#sweepOne(channel)));
  }

  async #isOurs(): Promise<boolean> {
    const { runner, keys } = this.#parts;
    const lease = String(LEASE_MS);
    if ((await runner.ask('set', keys.sweeper, this.#id, 'PX', lease, 'NX')) === 'OK') return true;
    if ((await runner.ask('get', keys.sweeper)) !== this.#id) return false;
    await runner.ask('pexpire', keys.sweeper, lease);
    return true;
  }

  async #sweepOne(channel: string): Promise<void> {
    const { runner, directory } = this.#parts;
    const { word, reply } = await runner.run(scripts.sweep, channel, []);
    if (word === 'gone') await this.#findForks(channel, reply.list());
    else if (!reply.flag()) await directory.leave(channel);
  }

  /** The name of a channel stays taken for its forks: one that did not come to be, or went unnoticed, holds it no longer. */
  async #findForks(channel: string, notes: Reply): Promise<void> {
    const { runner, forks } = this.#parts;
    while (!notes.isOver) {
      const [token, name] = [notes.text(), notes.text()];
      const notedAt = Number.parseInt(token.split('.', 1)[0] ?? '', 36);
      if (!(Date.now() - notedAt > NOTED_MS)) continue;
      const { word, reply } = await runner.run(scripts.state, name, []);
      if (word !== 'absent' && word !== 'state') throw new BadReply('no state');
      if (word === 'absent' || stateFrom(reply.text()).token !== token) await forks.giveBack(channel, token);
    }
  }
}
