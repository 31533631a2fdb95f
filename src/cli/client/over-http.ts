import * as z from 'zod';
import { backoffMs } from '../../client/backoff.js';
import { envelope } from '../../protocol/pushes.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { say } from '../io.js';
import { socketUrl } from './connection.js';
import { pause } from './pause.js';
import { eventsOf } from './sse-reader.js';

export const HTTP_TRANSPORTS = ['sse', 'long-poll', 'poll'] as const;
export type HttpTransport = (typeof HTTP_TRANSPORTS)[number];

/** What is to be followed, and how. */
export interface HttpFollow {
  readonly url: string;
  readonly token: string | undefined;
  readonly transport: HttpTransport;
  readonly channels: readonly string[];
  readonly offset: string;
  readonly presence: boolean;
  /** Between two polls, in ms. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** An envelope that came. False where no more are wanted. */
  readonly tell: (envelope: Readonly<Record<string, unknown>>) => boolean;
}

const WAIT_MS = 25_000;
/** For an answer, or for the next byte of a stream, which has a heartbeat of 25 s: what is silent for longer is cut. */
const SILENT_MS = 60_000;
const BACKOFF = { minBackoffMs: 500, maxBackoffMs: 15_000 };

const page = z.object({ cursor: z.string(), envelopes: z.array(z.looseObject({ type: z.string() })) });
const problem = z.object({ code: z.string(), detail: z.string(), advice: z.string() });

/** Follows channels over `/v1/read`, until there is nothing more to come, or enough has. Rejects where they can't be followed. */
export async function followOverHttp(io: Io, follow: HttpFollow): Promise<void> {
  const reader = new Reader(io, follow);
  for (let failures = 0; !reader.isDone && !follow.signal.aborted; ) {
    try {
      await reader.read();
      failures = 0;
      await pause(reader.pauseMs, follow.signal);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      if (reader.isDone || follow.signal.aborted) return;
      const againInMs = backoffMs(++failures, BACKOFF, Math.random());
      say(io, `not connected: ${wordsOf(error)}; again in ${(againInMs / 1000).toFixed(1)} s`);
      await pause(againInMs, follow.signal);
    }
  }
}

class Reader {
  readonly #io: Io;
  readonly #follow: HttpFollow;
  readonly #open: Set<string>;
  #cursor: string | undefined;
  #wantsMore = true;
  #saidConnected = false;
  /** Before the next request: a poll's own time, or what a server that ends has asked for. */
  pauseMs = 0;

  constructor(io: Io, follow: HttpFollow) {
    this.#io = io;
    this.#follow = follow;
    this.#open = new Set(follow.channels);
  }

  get isDone(): boolean {
    return !this.#wantsMore || this.#open.size === 0;
  }

  /** One request, and what comes of it. */
  async read(): Promise<void> {
    const { transport, signal, everyMs } = this.#follow;
    this.pauseMs = transport === 'poll' ? everyMs : 0;
    const patience = new Patience(SILENT_MS, signal);
    try {
      const asked = fetch(this.#address(), { headers: this.#headers(), signal: patience.signal });
      const response = await patience.orCut(asked);
      if (!response.ok) throw await patience.orCut(refusal(response));
      this.#sayConnected();
      if (transport === 'sse') await this.#readEvents(response, patience);
      else this.#takePage(page.parse(await patience.orCut(response.json())));
    } finally {
      patience.end();
    }
  }

  #address(): URL {
    const { url, channels, offset, presence, transport } = this.#follow;
    const address = new URL(socketUrl(url).replace(/^ws/, 'http'));
    address.pathname = address.pathname.replace(/\/[^/]*$/, '/v1/read');
    for (const channel of channels)
      if (this.#open.has(channel)) address.searchParams.append('channel', channel);
    if (this.#cursor === undefined) address.searchParams.set('offset', offset);
    else address.searchParams.set('cursor', this.#cursor);
    if (presence) address.searchParams.set('presence', 'true');
    const waits = transport === 'long-poll' && this.#cursor !== undefined; // at first, to know where it stands
    if (waits) address.searchParams.set('waitMs', String(WAIT_MS));
    return address;
  }

  #headers(): Record<string, string> {
    const { token, transport } = this.#follow;
    return {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(transport === 'sse' && { accept: 'text/event-stream' }),
    };
  }

  async #readEvents({ body }: Response, patience: Patience): Promise<void> {
    if (body === null) return;
    for await (const { id, data } of eventsOf(patience.heard(body))) {
      this.#cursor = id;
      if (data !== '') this.#take(envelope.parse(JSON.parse(data)));
      if (this.isDone) return;
    }
  }

  #takePage({ cursor, envelopes }: z.infer<typeof page>): void {
    this.#cursor = cursor;
    for (const each of envelopes) this.#take(each);
  }

  #take(each: Readonly<Record<string, unknown>>): void {
    const told = envelope.safeParse(each); // a newer server may send what is not known here
    if (told.success && told.data.type === 'closed') this.#open.delete(told.data.channel);
    if (told.success && told.data.type === 'unsubscribed' && 'code' in told.data)
      throw CommandError.notHad(`${told.data.code}: ${told.data.channel} can't be followed any more`);
    if (told.success && told.data.type === 'bye') {
      const [from, to] = told.data.afterMs ?? [0, 0];
      this.pauseMs = from + Math.random() * (to - from);
      return;
    }
    if (this.#wantsMore) this.#wantsMore = this.#follow.tell(each);
  }

  #sayConnected(): void {
    if (!this.#saidConnected) say(this.#io, `connected over ${this.#follow.transport}`);
    this.#saidConnected = true;
  }
}

/**
 * Cuts a response off where nothing has come for a while, or where nobody wants it any more. The signal alone doesn't:
 * once there is a response, `fetch` of Node 20 may forget it with what the garbage collection takes.
 */
class Patience {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #cut: (why: unknown) => void = () => {};

  constructor(silentMs: number, outer: AbortSignal) {
    this.#outer = outer;
    this.#timer = setTimeout(() => this.#end(new Error('nothing came for too long')), silentMs);
    outer.addEventListener('abort', this.#stop);
    if (outer.aborted) this.#stop();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The outcome of `work`, unless it is cut off before. */
  async orCut<Outcome>(work: Promise<Outcome>): Promise<Outcome> {
    const cut = new Promise<never>((_resolve, reject) => {
      this.#cut = reject;
      if (this.signal.aborted) reject(this.signal.reason);
    });
    return Promise.race([work, cut]);
  }

  async *heard(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    this.#cut = () => void reader.cancel().catch(() => {}); // it has failed already: the read says so
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        this.#timer.refresh();
        yield next.value;
      }
      this.signal.throwIfAborted();
    } finally {
      this.#cut(undefined); // also where nobody reads to the end
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#stop);
  }

  readonly #stop = (): void => this.#end(this.#outer.reason);

  #end(why: unknown): void {
    this.#controller.abort(why);
    this.#cut(why);
  }
}

/** What a server that refuses has to say: to be tried again, or the end. */
async function refusal(response: Response): Promise<Error> {
  const told = problem.safeParse(await response.json().catch(() => undefined));
  if (!told.success) return new Error(`${response.status}, and not from an Earshot`);
  const { code, detail, advice } = told.data;
  return advice === 'retry' ? new Error(code) : CommandError.notHad(`${code}: ${detail}`);
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
