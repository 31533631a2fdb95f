import * as z from 'zod';
import { SUBPROTOCOL } from '../../../../protocol/version.js';
import type { Dialled, HttpAnswer } from '../../../../transport/websocket/dial.js';
import { dial } from '../../../../transport/websocket/dial.js';
import type { Target } from '../../../doctor/target.js';
import { headersOf } from '../../../doctor/target.js';
import type { Refusal } from './http.js';

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const problem = z.object({ code: z.string(), advice: z.enum(['retry', 'refresh', 'never']) });
const envelope = z.looseObject({ type: z.string(), id: z.int().optional() });
export type Envelope = z.infer<typeof envelope>;

/** A WebSocket that speaks envelopes. */
export class Line {
  /** Resolves when it has ended, however. */
  readonly closed: Promise<unknown>;
  isOpen = true;
  readonly #socket: Dialled;
  readonly #replies: Map<number, (reply: Envelope | undefined) => void>;

  private constructor(socket: Dialled, replies: Map<number, (reply: Envelope | undefined) => void>) {
    this.#socket = socket;
    this.#replies = replies;
    this.closed = socket.closed.then(() => {
      this.isOpen = false;
      for (const told of replies.values()) told(undefined);
    });
  }

  /** `heard` gets what answers no command. Resolves with why, where there is none. */
  static async open(
    target: Target,
    heard: (envelope: Envelope) => void = () => {},
  ): Promise<Line | { readonly refusal: Refusal | undefined }> {
    const replies = new Map<number, (reply: Envelope | undefined) => void>();
    const onText = (text: string) => {
      const told = envelopeIn(text);
      const waiting = replies.get(told.id ?? 0);
      replies.delete(told.id ?? 0);
      if (waiting === undefined) heard(told);
      else waiting(told);
    };
    try {
      const came = await dial(target.wsUrl, {
        subprotocol: SUBPROTOCOL,
        headers: headersOf(target),
        timeoutMs: target.timeoutMs,
        maxFrameBytes: MAX_FRAME_BYTES,
        onText,
      });
      return 'status' in came ? { refusal: refusalIn(came) } : new Line(came, replies);
    } catch {
      return { refusal: undefined }; // nobody there, or cut
    }
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  /** The reply to the command of this id; undefined where the line ends before. */
  reply(id: number): Promise<Envelope | undefined> {
    if (!this.isOpen) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  cut(): void {
    this.#socket.cut();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

/** What is no envelope is told as one of no type that there is. */
function envelopeIn(text: string): Envelope {
  try {
    return envelope.parse(JSON.parse(text));
  } catch {
    return { type: 'no envelope' };
  }
}

function refusalIn({ headers, body }: HttpAnswer): Refusal | undefined {
  try {
    const { data } = problem.safeParse(JSON.parse(body));
    return data && { ...data, afterMs: Number(headers['retry-after'] ?? 0) * 1000 };
  } catch {
    return undefined; // no JSON: a proxy's
  }
}
