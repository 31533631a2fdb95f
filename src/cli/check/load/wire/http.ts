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

/** Rejects with what `fetch` rejects with. */
export function ask(
  target: Target,
  path: string,
  { method = 'GET', headers, body, signal }: Ask,
): Promise<Response> {
  return fetch(target.base + path, {
    method,
    headers: { ...headersOf(target), ...headers },
    redirect: 'manual',
    signal,
    ...(body !== undefined && { body }),
  });
}

/** Undefined where the answer is none of Earshot's, as from a proxy. Reads the body. */
export async function refusalOf(response: Response): Promise<Refusal | undefined> {
  const { data } = problem.safeParse(await response.json().catch(() => undefined));
  if (data === undefined) return undefined;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return { ...data, afterMs: Math.min((Number.isFinite(seconds) ? seconds : 0) * 1000, MAX_AFTER_MS) };
}

/** True where nobody listened: then nothing was sent. */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  if ('code' in error && error.code === 'ECONNREFUSED') return true;
  return causes.some((cause) => cause !== undefined && wasRefused(cause));
}
