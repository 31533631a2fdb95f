import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../../protocol/codes.js';
import { codeOfStatus, ERRORS } from '../../protocol/codes.js';
import { Refused } from '../../protocol/refused.js';
import { RefusedByHook } from '../admission/hooks.js';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** After how many seconds what may be retried should be. */
const RETRY_AFTER_SECONDS = 5;
/** How long a refused peer may take to read why. */
const ANSWERED_MS = 500;

/** An HTTP answer that says what is wrong (RFC 9457), with our code and advice. */
export interface Problem {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export function problem(
  code: ErrorCode,
  detail: string,
  headers: Record<string, string> = {},
  status: number = ERRORS[code].status,
  details?: readonly string[],
): Problem {
  const { advice, meaning } = ERRORS[code];
  const body = JSON.stringify({ type: 'about:blank', title: meaning, status, detail, code, advice, details });
  return {
    status,
    headers: {
      'content-type': PROBLEM_TYPE,
      'cache-control': 'no-store',
      ...(code === 'unauthenticated' && { 'www-authenticate': 'Bearer' }),
      ...(advice === 'retry' && { 'retry-after': String(RETRY_AFTER_SECONDS) }),
      ...headers,
    },
    body,
  };
}

export function problemOf(refused: Refused, headers?: Record<string, string>): Problem {
  const status = refused instanceof RefusedByHook ? refused.status : undefined;
  return problem(refused.code, refused.message, headers, status, refused.details);
}

/** The same for whatever was thrown: of what is no refusal of ours only what is the peer's fault is told. */
export function problemFrom(error: Refused | (Error & { readonly statusCode?: number })): Problem {
  if (error instanceof Refused) return problemOf(error);
  const { statusCode: status = 500 } = error;
  if (status >= 500) return problem('internal', 'the server failed');
  return problem(codeOfStatus(status) ?? 'bad_envelope', error.message, {}, status);
}

/** Answers on a socket that HTTP has let go of, and ends it whether or not the peer reads. */
export function answerSocket(socket: Duplex, { status, headers, body }: Problem): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lines = Object.entries({
    ...headers,
    connection: 'close',
    'content-length': String(Buffer.byteLength(body)),
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`);
  socket.resume(); // what still comes is read away: unread, it would reset the connection and take the answer along
  const timer = setTimeout(() => socket.destroy(), ANSWERED_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
