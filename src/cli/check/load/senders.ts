import * as z from 'zod';
import type { Producer } from '../../../protocol/commands.js';
import { error as errorEnvelope } from '../../../protocol/pushes.js';
import { published } from '../../../protocol/replies.js';
import type { Target } from '../../doctor/target.js';
import type { Way } from '../history/events.js';
import type { Answer, Refusal } from './wire/http.js';
import { ask, refusalOf, wasRefused } from './wire/http.js';
import { Line } from './wire/line.js';

/** One message to be sent once. */
export interface Sending {
  readonly channel: string;
  /** JSON. */
  readonly text: string;
  readonly producer: Producer | undefined;
  /** The connection is cut after so long; undefined: it is waited for the answer. */
  readonly cutAfterMs: number | undefined;
}

/** What became of it. `refused` is surely not stored; of `unknown` nobody can say. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly offset: string; readonly duplicate: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'unknown' };

const ANSWER_MS = 10_000;
const UNKNOWN: Outcome = { kind: 'unknown' };
const AWAY: Outcome = { kind: 'refused', refusal: { code: 'unreachable', advice: 'retry', afterMs: 200 } };
/** The server failed, perhaps after it was stored. */
const IN_DOUBT = new Set(['internal', 'unavailable']);

const answered = z.union([published, errorEnvelope]);

/** Publishes in every way there is. Keeps one WebSocket open. */
export class Sender {
  readonly #target: Target;
  #line: Line | undefined;
  #id = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  send(way: Way, sending: Sending): Promise<Outcome> {
    if (way === 'publish-websocket') return this.#bySocket(sending);
    return way === 'publish-stream' ? this.#byStream(sending) : this.#byCommands(sending);
  }

  close(): void {
    this.#line?.cut();
  }

  async #bySocket(sending: Sending): Promise<Outcome> {
    if (this.#line?.isOpen !== true) {
      const line = await Line.open(this.#target);
      if (line instanceof Line) this.#line = line;
      else return line.refusal === undefined ? AWAY : { kind: 'refused', refusal: line.refusal };
    }
    const line = this.#line;
    const id = ++this.#id;
    const reply = line.reply(id);
    line.send(commandOf(id, sending));
    const timer = setTimeout(() => line.cut(), sending.cutAfterMs ?? ANSWER_MS);
    return outcomeOf(await reply.finally(() => clearTimeout(timer)));
  }

  async #byStream(sending: Sending): Promise<Outcome> {
    const { channel, text, producer } = sending;
    const headers = {
      'content-type': 'application/json',
      ...(producer !== undefined && {
        'producer-id': producer.id,
        'producer-epoch': String(producer.epoch),
        'producer-seq': String(producer.seq),
      }),
    };
    // an array of JSON is several messages: one of them is an array with one item
    const body = `[${text}]`;
    return this.#post(`/v1/stream/${channel}`, headers, body, sending, async (response) => {
      await response.text();
      const offset = response.header('stream-next-offset');
      if (offset === undefined) return UNKNOWN;
      return { kind: 'accepted', offset, duplicate: producer !== undefined && response.status === 204 };
    });
  }

  #byCommands(sending: Sending): Promise<Outcome> {
    const headers = { 'content-type': 'application/json' };
    return this.#post('/v1/commands', headers, `[${commandOf(1, sending)}]`, sending, async (response) => {
      const [reply] = z.array(z.unknown()).parse(JSON.parse(await response.text()));
      return outcomeOf(reply);
    });
  }

  async #post(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    { cutAfterMs }: Sending,
    read: (response: Answer) => Promise<Outcome>,
  ): Promise<Outcome> {
    const signal = AbortSignal.timeout(cutAfterMs ?? ANSWER_MS);
    try {
      const response = await ask(this.#target, path, { method: 'POST', headers, body, signal });
      if (response.isOk) return await read(response);
      const refusal = await refusalOf(response);
      if (refusal === undefined || IN_DOUBT.has(refusal.code)) return UNKNOWN;
      return { kind: 'refused', refusal };
    } catch (error) {
      return wasRefused(error) ? AWAY : UNKNOWN; // cut before its answer, by us or by others
    }
  }
}

/** The data goes as the text it is. */
function commandOf(id: number, { channel, text, producer }: Sending): string {
  const told = producer === undefined ? '' : `,"producer":${JSON.stringify(producer)}`;
  return `{"type":"publish","id":${id},"channel":"${channel}","data":${text}${told}}`;
}

function outcomeOf(reply: unknown): Outcome {
  const { data } = answered.safeParse(reply);
  if (data?.type === 'published') return { kind: 'accepted', offset: data.offset, duplicate: data.duplicate };
  if (data === undefined || IN_DOUBT.has(data.code)) return UNKNOWN;
  return { kind: 'refused', refusal: { code: data.code, advice: data.advice, afterMs: 500 } };
}
