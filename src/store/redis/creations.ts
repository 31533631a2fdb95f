import { JSON_TYPE, mediaTypeOf } from '../../protocol/media.js';
import { Refused } from '../../protocol/refused.js';
import type { Creation } from '../creation.js';
import { checkSame } from '../log/checks.js';
import type { NewMessage } from '../message.js';
import type { Created } from '../store.js';
import type { Directory } from './directory.js';
import type { Ears } from './ears.js';
import type { Forks, Loan } from './forks.js';
import type { Argument } from './link/connection.js';
import { script } from './link/connection.js';
import type { Runner } from './runner.js';
import { CREATE, STAY } from './scripts/lives.js';
import { STATE } from './scripts/reads.js';
import { argumentsOf, storedAs } from './words/page.js';
import type { State } from './words/reply.js';
import { ancestryOf, BadReply, offsetOf, stateFrom, statOf, tailOf } from './words/reply.js';

export interface CreationsParts {
  readonly runner: Runner;
  readonly directory: Directory;
  readonly forks: Forks;
  readonly ears: Ears;
}

const scripts = { create: script(CREATE), stay: script(STAY), state: script(STATE) };

/** Makes channels. */
export class Creations {
  readonly #parts: CreationsParts;

  constructor(parts: CreationsParts) {
    this.#parts = parts;
  }

  /** See Store. Whoever calls does one thing after the other on a channel. */
  async create(channel: string, creation: Creation, messages: readonly NewMessage[]): Promise<Created> {
    await this.#parts.ears.settled(channel);
    const standing = await this.#standing(channel);
    if (standing !== undefined && standing.blank !== true) return this.#same(channel, standing, creation);
    const { fork, contentType } = creation;
    const loan = fork && (await this.#parts.forks.lend(channel, fork, contentType));
    try {
      return await this.#make(channel, creation, messages, loan);
    } catch (error) {
      if (loan !== undefined) await this.#parts.forks.giveBack(loan.source, loan.token);
      if (error instanceof Standing) return this.#same(channel, error.state, creation);
      throw error;
    }
  }

  async #make(
    channel: string,
    creation: Creation,
    messages: readonly NewMessage[],
    loan: Loan | undefined,
  ): Promise<Created> {
    if (!(await this.#parts.directory.enter(channel))) throw this.#parts.directory.full();
    const own = argumentsOfCreation(creation, messages, loan);
    const { word, reply } = await this.#parts.runner.run(scripts.create, channel, own, loan && [loan.draft]);
    const state = stateFrom(reply.text());
    if (word === 'standing') throw new Standing(state);
    if (word !== 'made') throw new BadReply('no creation');
    await this.#parts.directory.enter(channel);
    const tail = tailOf(state);
    const place = { epoch: tail.epoch, seq: tail.seq, at: state.lastAt };
    this.#parts.ears.stored(channel, tail, storedAs(messages, place));
    return { created: true, tail, offset: offsetOf(state), contentType: state.contentType };
  }

  async #same(channel: string, state: State, creation: Creation): Promise<Created> {
    if (state.gone === true) throw new Refused('conflict', 'the channel was deleted, and has forks');
    const { contentType, closed = false } = state;
    const { lifetime } = statOf(state);
    checkSame({ contentType, closed, lifetime, ancestry: ancestryOf(state) }, creation);
    if (state.stays !== true) await this.#parts.runner.run(scripts.stay, channel, []);
    return { created: false, tail: tailOf(state), offset: offsetOf(state), contentType };
  }

  async #standing(channel: string): Promise<State | undefined> {
    const { word, reply } = await this.#parts.runner.run(scripts.state, channel, []);
    return word === 'absent' ? undefined : stateFrom(reply.text());
  }
}

/** It was made by somebody else in the meantime. */
class Standing extends Error {
  override readonly name = 'Standing';
  readonly state: State;

  constructor(state: State) {
    super('the channel is there');
    this.state = state;
  }
}

function argumentsOfCreation(
  { contentType, lifetime, closed = false, whole = false }: Creation,
  messages: readonly NewMessage[],
  loan: Loan | undefined,
): Argument[] {
  const type = contentType ?? loan?.contentType ?? JSON_TYPE;
  const { ttlSeconds, expiresAt } = lifetime ?? loan?.lifetime ?? {};
  const part = loan?.part === undefined ? [] : [loan.part];
  return [
    type,
    mediaTypeOf(type),
    String(ttlSeconds ?? ''),
    String(expiresAt ?? ''),
    closed ? '1' : '0',
    whole ? '1' : '0',
    loan?.state ?? '',
    String(part.length),
    String(part.length + messages.length),
    ...argumentsOf([...part, ...messages]),
  ];
}
