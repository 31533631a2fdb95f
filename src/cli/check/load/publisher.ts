import { pause } from '../../client/pause.js';
import { CommandError } from '../../failure.js';
import type { Way } from '../history/events.js';
import { WAYS } from '../history/events.js';
import type { History } from '../history/history.js';
import type { Draft } from './message.js';
import { draft } from './message.js';
import type { Random } from './random.js';
import type { Outcome, Sender } from './senders.js';

export interface PublisherOptions {
  readonly by: string;
  readonly run: string;
  readonly history: History;
  readonly sender: Sender;
  readonly random: Random;
  readonly channels: readonly string[];
  /** Whether it names itself and numbers its messages, and so may send one again until it is answered. */
  readonly isProducer: boolean;
  /** Then it publishes nothing new. */
  readonly busy: AbortSignal;
  /** Then it gives up what has no answer yet. */
  readonly deadline: AbortSignal;
}

interface Numbers {
  epoch: number;
  seq: number;
}

const LONGEST_PAUSE_MS = 60;
const REFUSED = new Set(['forbidden', 'unauthenticated', 'bad_channel', 'bad_request', 'bad_envelope']);

/** Publishes one message after the other, in every way. Rejects where it may not. */
export class CheckPublisher {
  readonly #options: PublisherOptions;
  /** By channel, those of the next message. */
  readonly #numbers = new Map<string, Numbers>();
  #count = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  async publish(): Promise<void> {
    const { busy, random, channels } = this.#options;
    while (!busy.aborted) {
      await this.publishOne(random.pick(channels));
      await pause(random.between(0, LONGEST_PAUSE_MS), busy);
    }
  }

  /** A message of its own, until it is answered. True where it was accepted. */
  async publishOne(channel: string): Promise<boolean> {
    const { by, run, random, isProducer, deadline } = this.#options;
    const message = draft(`${run}.${by}.${this.#count++}`, random);
    const numbers = isProducer ? this.#numbersFor(channel) : undefined;
    let isInDoubt = false;
    do {
      const outcome = await this.#try(channel, message, numbers, isInDoubt);
      if (outcome.kind === 'accepted') {
        if (numbers !== undefined && random.chance(0.2)) await this.#again(channel, message, numbers);
        return true;
      }
      isInDoubt ||= outcome.kind === 'unknown';
      if (outcome.kind === 'refused' && outcome.refusal.advice !== 'retry') {
        await this.#refused(channel, outcome.refusal.code);
        return false;
      }
      if (outcome.kind === 'unknown' && !isProducer) return false; // nobody can say whether it is stored
      await pause(outcome.kind === 'refused' ? outcome.refusal.afterMs : random.between(0, 100), deadline);
    } while (!deadline.aborted);
    return false;
  }

  /** It is answered already: the answer has to be the same. */
  async #again(channel: string, message: Draft, numbers: Numbers): Promise<void> {
    await this.#try(channel, message, numbers, false);
  }

  async #try(
    channel: string,
    { uid, text, hash }: Draft,
    numbers: Numbers | undefined,
    isInDoubt: boolean,
  ): Promise<Outcome> {
    const { by, run, history, sender, random, busy } = this.#options;
    const how: Way = random.pick(WAYS);
    const about = { how, channel, uid, hash };
    history.note(by, {
      kind: 'publish.invoked',
      ...about,
      ...(numbers !== undefined && { producer: { ...numbers } }),
    });
    const cutAfterMs = !busy.aborted && random.chance(0.06) ? random.between(0, 8) : undefined;
    const producer = numbers && { id: `${run}.${by}`, ...numbers };
    const outcome = await sender.send(how, { channel, text, producer, cutAfterMs });
    if (outcome.kind === 'accepted') {
      const duplicate = isInDoubt ? null : outcome.duplicate;
      history.note(by, { kind: 'publish.accepted', ...about, offset: outcome.offset, duplicate });
    } else if (outcome.kind === 'refused')
      history.note(by, { kind: 'publish.refused', ...about, code: outcome.refusal.code });
    else history.note(by, { kind: 'publish.unknown', ...about });
    return outcome;
  }

  /** One after the other, and now and then a new epoch. */
  #numbersFor(channel: string): Numbers {
    const before = this.#numbers.get(channel);
    const isNew = before !== undefined && before.seq >= 0 && this.#options.random.chance(0.03);
    const numbers = isNew
      ? { epoch: before.epoch + 1, seq: 0 }
      : { epoch: before?.epoch ?? 0, seq: (before?.seq ?? -1) + 1 };
    this.#numbers.set(channel, numbers);
    return numbers;
  }

  /** It goes on with an epoch of its own: a server that has forgotten it takes no other. */
  async #refused(channel: string, code: string): Promise<void> {
    if (REFUSED.has(code)) throw CommandError.notHad(`${code}: nothing can be published on ${channel}`);
    const before = this.#numbers.get(channel);
    if (before !== undefined) this.#numbers.set(channel, { epoch: before.epoch + 1, seq: -1 });
    await pause(250, this.#options.deadline);
  }
}
