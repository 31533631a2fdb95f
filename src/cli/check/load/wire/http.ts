import type { IncomingMessage } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import * as z from 'zod';
import type { Advice } from '../../../../protocol/codes.js';
import type { Target } from '../../../doctor/target.js';
import { headersOf } from '../../../doctor/target.js';

/** Why a server doesn't do what it was asked for. */
export interface Refusal {
  readonly code: string;
  readonly advice: Advice;
  /** How long it asks to wait. */
  readonly afterMs: number;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

const MAX_AFTER_MS = 10_000;
const problem = z.object({ code: z.string(), advice: z.enum(['retry', 'refresh', 'never']) });

/** What came, as far as its headers; its body comes as it is read. */
export class Answer {
  readonly status: number;
  readonly body: AsyncIterable<Buffer>;
  readonly #response: IncomingMessage;

  constructor(response: IncomingMessage) {
    this.status = response.statusCode ?? 0;
    this.body = response;
    this.#response = response;
  }

  get isOk(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  header(name: string): string | undefined {
    const value = this.#response.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** The whole body. Rejects where it is cut. */
  async text(): Promise<string> {
    const parts: Buffer[] = [];
    for await (const part of this.body) parts.push(part);
    return Buffer.concat(parts).toString();
  }

  /** The rest of it is not wanted: its connection ends. */
  leave(): void {
    this.#response.destroy();
  }
}

/**
 * Rejects with the error of the network. When the signal says so, the connection is cut, wherever it is: `fetch` is no
 * help there, as it may have forgotten its signal by the time that a long answer ends.
 */
export function ask(
  target: Target,
  path: string,
  { method = 'GET', headers, body, signal }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headersOf(target), ...headers } };
    const request = target.base.startsWith('https:') ? requestHttps : requestHttp;
    const sent = request(target.base + path, options, (response) => resolve(new Answer(response)));
    const cut = () => sent.destroy(new Error('left'));
    if (signal.aborted) cut();
    signal.addEventListener('abort', cut, { once: true });
    sent.on('close', () => signal.removeEventListener('abort', cut));
    sent.on('error', reject); // once it is answered, whoever reads the body is told
    sent.end(body);
  });
}

/** Undefined where the answer is none of Earshot's, as from a proxy. Reads the body. Rejects where it is cut. */
export async function refusalOf(answer: Answer): Promise<Refusal | undefined> {
  const { data } = problem.safeParse(jsonOf(await answer.text()));
  if (data === undefined) return undefined;
  const seconds = Number(answer.header('retry-after') ?? 0);
  return { ...data, afterMs: Math.min((Number.isFinite(seconds) ? seconds : 0) * 1000, MAX_AFTER_MS) };
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** True where nobody listened: then nothing was sent. */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  if ('code' in error && error.code === 'ECONNREFUSED') return true;
  return causes.some((cause) => cause !== undefined && wasRefused(cause));
}
