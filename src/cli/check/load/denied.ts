import { pause } from '../../client/pause.js';
import type { Target } from '../../doctor/target.js';
import type { Technique, Way } from '../history/events.js';
import { TECHNIQUES, WAYS } from '../history/events.js';
import type { History } from '../history/history.js';
import { draft } from './message.js';
import type { Random } from './random.js';
import type { Outcome } from './senders.js';
import { Sender } from './senders.js';
import type { Refusal } from './wire/http.js';
import { ask, refusalOf } from './wire/http.js';
import { Line } from './wire/line.js';

export interface DeniedOptions {
  readonly by: string;
  readonly run: string;
  readonly target: Target;
  readonly history: History;
  readonly random: Random;
  readonly channels: readonly string[];
  readonly busy: AbortSignal;
}

/** What the server said: that it may not, that it may, or nothing that counts. */
type Answer = 'served' | 'unknown' | Refusal;

const ANSWER_MS = 5000;
const EVERY_MS = 40;

/** Somebody who may neither read nor publish, and tries to in every way. */
export class Denied {
  readonly #options: DeniedOptions;
  #tries = 0;
  #count = 0;

  constructor(options: DeniedOptions) {
    this.#options = options;
  }

  /** Every way and every channel at least once. */
  async insist(): Promise<void> {
    const { busy, channels } = this.#options;
    do {
      for (const technique of TECHNIQUES) await this.#try(technique, readOnce);
      for (const way of WAYS) await this.#try(way, this.#publishOnce(way));
    } while (!busy.aborted || this.#tries < channels.length);
  }

  async #try(
    technique: Technique | Way,
    work: (target: Target, channel: string, technique: Technique) => Promise<Answer>,
  ): Promise<void> {
    const { by, target, history, busy, channels } = this.#options;
    const channel = channels[this.#tries++ % channels.length] ?? '';
    history.note(by, { kind: 'deny.tried', technique, channel });
    const answer = await work(target, channel, technique as Technique);
    const code = typeof answer === 'object' ? answer.code : undefined;
    if (code === 'forbidden' || code === 'unauthenticated')
      history.note(by, { kind: 'deny.refused', technique, channel, code });
    else if (answer === 'served') history.note(by, { kind: 'deny.served', technique, channel });
    else history.note(by, { kind: 'deny.unknown', technique, channel });
    await pause(EVERY_MS, busy);
  }

  #publishOnce(way: Way) {
    return async (target: Target, channel: string): Promise<Answer> => {
      const { by, run, random } = this.#options;
      const sender = new Sender(target);
      const { text } = draft(`${run}.${by}.${this.#count++}`, random);
      const outcome: Outcome = await sender.send(way, {
        channel,
        text,
        producer: undefined,
        cutAfterMs: undefined,
      });
      sender.close();
      if (outcome.kind === 'refused') return outcome.refusal;
      return outcome.kind === 'accepted' ? 'served' : 'unknown';
    };
  }
}

async function readOnce(target: Target, channel: string, technique: Technique): Promise<Answer> {
  if (technique === 'websocket') return subscribeOnce(target, channel);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const accept = technique === 'read-sse' ? 'text/event-stream' : '*/*';
  try {
    const response = await ask(target, pathOf(technique, channel), { headers: { accept }, signal });
    if (response.isOk) {
      response.leave();
      return 'served';
    }
    return (await refusalOf(response)) ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function pathOf(technique: Technique, channel: string): string {
  if (technique.startsWith('read-')) {
    const wait = technique === 'read-long-poll' ? '&waitMs=1000' : '';
    return `/v1/read?channel=${encodeURIComponent(channel)}&offset=-1${wait}`;
  }
  const live = technique === 'poll' ? '' : `&live=${technique}`;
  return `/v1/stream/${channel}?offset=-1${live}`;
}

async function subscribeOnce(target: Target, channel: string): Promise<Answer> {
  const line = await Line.open(target);
  if (!(line instanceof Line)) return line.refusal ?? 'unknown';
  const timer = setTimeout(() => line.cut(), ANSWER_MS);
  const reply = line.reply(1);
  line.send(JSON.stringify({ type: 'subscribe', id: 1, channel, offset: '-1' }));
  const answer = await reply;
  clearTimeout(timer);
  line.cut();
  if (answer === undefined) return 'unknown';
  if (answer.type === 'error') return { code: String(answer['code']), advice: 'never', afterMs: 0 };
  return 'served';
}
