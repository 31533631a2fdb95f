import { STATUS_CODES } from 'node:http';
import * as z from 'zod';
import type { Check, Finding, Fix } from './finding.js';
import { fail, printable } from './finding.js';
import { CERTIFICATE_FIX, GATEWAY_FIX } from './fixes.js';
import type { Target } from './target.js';
import { headersOf } from './target.js';

/** An answer over HTTP; of a long body the beginning. */
export interface Answer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** A request that got no answer: why, and what would mend it. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
  readonly fix: Fix | undefined;

  constructor(message: string, fix?: Fix) {
    super(message);
    this.fix = fix;
  }
}

const MAX_BODY_BYTES = 65_536;

const problemSchema = z.object({ code: z.string(), advice: z.string(), detail: z.string() });
export type ProblemDocument = z.infer<typeof problemSchema>;

/** Asks with GET. A redirect is an answer, not followed. Rejects with `Unanswered`. */
export async function ask(target: Target, path: string): Promise<Answer> {
  const timeout = AbortSignal.timeout(target.timeoutMs);
  try {
    const response = await open(target, path, 'application/json', timeout);
    return await answerOf(response);
  } catch (error) {
    throw timeout.aborted
      ? new Unanswered(`no answer within ${target.timeoutMs / 1000} s`)
      : unanswered(error);
  }
}

/** The answer as it begins to come. Rejects with what `fetch` rejects with. */
export function open(target: Target, path: string, accept: string, signal: AbortSignal): Promise<Response> {
  const headers = { ...headersOf(target), accept };
  return fetch(target.base + path, { headers, redirect: 'manual', signal });
}

/** Rejects with what `fetch` rejects with. */
export async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response;
  return { status, headers: Object.fromEntries(headers), body: await bodyOf(response) };
}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_BODY_BYTES) break;
  }
  return text.slice(0, MAX_BODY_BYTES);
}

/** What a text says as JSON, where it says what the schema asks for. */
export function parsed<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // no JSON
  }
}

/** Why Earshot refuses, where the answer is such a refusal. */
export function problemOf({ status, body }: Answer): ProblemDocument | undefined {
  return status >= 400 ? parsed(problemSchema, body) : undefined;
}

/** What answered, where it isn't Earshot. */
function strangerOf({ status, headers }: Answer): { readonly seen: string; readonly fix?: Fix } {
  const { server, location, 'content-type': type } = headers;
  const what = [type, server && `from ${server}`].filter(Boolean).join(', ');
  const seen = `${status} ${STATUS_CODES[status] ?? ''}${what && ` (${what})`}`;
  if (status >= 502 && status <= 504) {
    return { seen: `a proxy answered ${seen}: it doesn't reach the server`, fix: GATEWAY_FIX };
  }
  if (location !== undefined) {
    const you = `give the address that it leads to: ${printable(location)}`;
    return { seen: `a redirect, ${seen}, which no WebSocket follows`, fix: { you } };
  }
  const you = 'give the address with the prefix that Earshot is served under, and its port';
  return { seen: `it is not Earshot that answers under this address, but ${seen}`, fix: { you } };
}

/** An error of the network in words. */
export function unanswered(error: unknown): Unanswered {
  const { name, code = '', message } = causeOf(error);
  const words = WORDS[code];
  if (words !== undefined) return new Unanswered(words);
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/.test(code)) {
    return new Unanswered(`the TLS certificate is not good: ${message} (${code})`, CERTIFICATE_FIX);
  }
  if (/SSL|EPROTO/.test(code)) {
    return new Unanswered(`no TLS is spoken there (${code})`, { you: 'try the address with http:' });
  }
  if (name === 'HTTPParserError' || code.startsWith('HPE_')) {
    return new Unanswered(`what answers there is not HTTP (${code || message})`);
  }
  if (message === 'bad port')
    return new Unanswered('browsers refuse to connect to this port, and so does this command');
  return new Unanswered(code === '' ? message : `${message} (${code})`);
}

const WORDS: Readonly<Record<string, string | undefined>> = {
  ENOTFOUND: 'DNS knows no address of this name (ENOTFOUND)',
  EAI_AGAIN: 'DNS does not answer (EAI_AGAIN)',
  ECONNREFUSED: 'nobody listens there: the connection was refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was reset (ECONNRESET)',
  UND_ERR_SOCKET: 'the connection was ended without an answer (UND_ERR_SOCKET)',
  UND_ERR_CONNECT_TIMEOUT:
    'no connection: a firewall swallows it, or the host is down (UND_ERR_CONNECT_TIMEOUT)',
  ETIMEDOUT: 'no connection: a firewall swallows it, or the host is down (ETIMEDOUT)',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too large (UND_ERR_HEADERS_OVERFLOW)',
};

interface Cause {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

/** `fetch` wraps what happened, and so does an attempt at several addresses. */
function causeOf(error: unknown): Cause {
  if (!(error instanceof Error)) return { name: '', message: String(error) };
  if (error.cause instanceof Error) return causeOf(error.cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: error.name,
    ...(code !== undefined && { code }),
    message: error.message || 'it failed without a word',
  };
}

/** A check whose request got no answer. */
export function failed(check: Check, error: unknown): Finding {
  const { message, fix } = error instanceof Unanswered ? error : unanswered(error);
  return fail(check, message, fix);
}

/** A check that was answered by something other than Earshot. */
export function stranger(check: Check, answer: Answer): Finding {
  const { seen, fix } = strangerOf(answer);
  return fail(check, seen, fix);
}
