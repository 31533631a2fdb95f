import { randomUUID } from 'node:crypto';
import { mediaTypeOf } from '../../protocol/media.js';
import type { Start } from '../../protocol/offset.js';
import { formatOffset } from '../../protocol/offset.js';
import { Refused } from '../../protocol/refused.js';
import { NOW } from '../../protocol/version.js';
import type { Creation, Fork } from '../creation.js';
import type { NewMessage } from '../message.js';
import { script } from './link/connection.js';
import type { Keys } from './link/keys.js';
import type { Runner } from './runner.js';
import { GIVE_BACK, LEND } from './scripts/forks.js';
import type { Reply, State } from './words/reply.js';
import { BadReply, dataFrom, epochsOf, stateFrom } from './words/reply.js';

/** What a fork begins with, as the script that makes it takes it. */
export interface Loan {
  readonly contentType: string;
  readonly lifetime: NonNullable<Creation['lifetime']>;
  /** JSON. */
  readonly state: string;
  /** Where its messages are. */
  readonly draft: string;
  /** The beginning of a message that the source has whole. */
  readonly part: NewMessage | undefined;
  readonly source: string;
  readonly token: string;
}

const scripts = { lend: script(LEND), giveBack: script(GIVE_BACK) };

/** Messages of the source that are copied at a time. */
const PAGE = 100;
/** Of messages that were gathered for a fork that never came to be. */
const DRAFT_MS = 600_000;

/**
 * Forks take over what their source has. The two may be on different servers, so it is done in steps: the source notes the
 * fork, its messages are copied, and the fork appears whole, or the note is taken back. One that is left over by a process
 * that ended meanwhile is found by the upkeep.
 */
export class Forks {
  readonly #keys: Keys;
  readonly #runner: Runner;

  constructor(keys: Keys, runner: Runner) {
    this.#keys = keys;
    this.#runner = runner;
  }

  /** Throws what the source refuses, and `conflict` where it is of another type than is asked for. */
  async lend(channel: string, fork: Fork, contentType: string | undefined): Promise<Loan> {
    const { source, start = NOW, skip = 0 } = fork;
    const token = `${Date.now().toString(36)}.${randomUUID()}`;
    const place = typeof start === 'string' ? [start, '0'] : [start.epoch, String(start.seq)];
    const asked = [token, channel, ...place, String(skip)];
    const { word, reply } = await this.#runner.run(scripts.lend, source, asked);
    try {
      if (word !== 'lent') throw new BadReply('no loan');
      return await this.#take(channel, { ...fork, start, skip }, token, contentType, reply);
    } catch (error) {
      await this.giveBack(source, token);
      throw error;
    }
  }

  /** The fork is no more, or did not come to be. What the source was a fork of follows, where that ends it. */
  async giveBack(source: string, token: string): Promise<void> {
    await this.#runner.run(scripts.giveBack, source, [token]);
  }

  async #take(
    channel: string,
    { source: name, start, skip }: Required<Pick<Fork, 'source'>> & { start: Start; skip: number },
    token: string,
    contentType: string | undefined,
    reply: Reply,
  ): Promise<Loan> {
    const source = stateFrom(reply.text());
    const anchor = reply.text();
    const [stop, stopBytes, lastAt, partBytes] = [
      reply.number(),
      reply.number(),
      reply.number(),
      reply.number(),
    ];
    if (contentType !== undefined && mediaTypeOf(contentType) !== mediaTypeOf(source.contentType))
      throw new Refused('conflict', 'the source is of another type');
    const draft = this.#keys.draft(channel, token);
    const begins = await this.#copy(name, draft, source, stop);
    const asked = typeof start === 'string' ? start : formatOffset(start.epoch, start.seq);
    const stretches = epochsOf(source)
      .upTo(stop)
      .map(({ epoch, end }) => ({ epoch, stop: end }));
    const state = {
      at: source.at,
      source: name,
      token,
      places: [...new Set([asked, anchor])],
      skip,
      sourceTtlSeconds: source.ttlSeconds,
      sourceExpiresAt: source.expiresAt,
      stretches,
      ...begins,
      tail: stop,
      tailBytes: stopBytes,
      lastAt,
    };
    return {
      contentType: source.contentType,
      lifetime: { ttlSeconds: source.ttlSeconds, expiresAt: source.expiresAt },
      state: JSON.stringify(state),
      draft,
      part: partBytes === 0 ? undefined : await this.#part(name, stop + 1, partBytes),
      source: name,
      token,
    };
  }

  /** As they are, up to the `stop`-th. Where the source was cut meanwhile, the fork begins later. */
  async #copy(name: string, draft: string, { start, startBytes }: State, stop: number) {
    const [, messages] = this.#keys.channel(name);
    let [begins, at] = [{ start, startBytes }, start];
    while (at < stop) {
      const entries = await this.#entries(messages, at + 1, Math.min(stop, at + PAGE));
      if (entries.length === 0) break;
      for (const { id, seq, fields } of entries) {
        if (seq !== at + 1) begins = { start: seq - 1, startBytes: Number(fields[3]) };
        await this.#runner.ask('xadd', draft, id, ...fields);
        at = seq;
      }
    }
    if (at > start) await this.#runner.ask('pexpire', draft, String(DRAFT_MS));
    return begins;
  }

  async #part(name: string, seq: number, bytes: number): Promise<NewMessage> {
    const [, messages] = this.#keys.channel(name);
    const [entry] = await this.#entries(messages, seq, seq);
    if (entry === undefined) throw new Refused('gone', 'what stood at that offset is no longer kept');
    const [, , , , , from, kind, data] = entry.fields;
    if (from === undefined || kind === undefined || data === undefined) throw new BadReply('no message');
    return { from: from.toString(), data: dataFrom(kind.toString(), data.subarray(0, bytes)) };
  }

  async #entries(messages: string, from: number, to: number): Promise<Entry[]> {
    const found = await this.#runner.ask('xrangeBuffer', messages, `${from}-0`, `${to}-0`);
    if (!Array.isArray(found)) throw new BadReply('no messages');
    return found.map(entryFrom);
  }
}

interface Entry {
  readonly id: string;
  readonly seq: number;
  readonly fields: readonly Buffer[];
}

function entryFrom(found: unknown): Entry {
  const [id, fields] = Array.isArray(found) ? found : [];
  if (!Buffer.isBuffer(id) || !Array.isArray(fields) || !fields.every(Buffer.isBuffer))
    throw new BadReply('no message');
  const seq = Number.parseInt(id.toString(), 10);
  if (!Number.isSafeInteger(seq)) throw new BadReply('no number of a message');
  return { id: id.toString(), seq, fields };
}
