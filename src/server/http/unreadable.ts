import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from './problem.js';
import { answerSocket, problem } from './problem.js';

/** A path that no route can be found for, as it is no text in UTF-8. */
export function refuseUrl(_error: unknown, _request: FastifyRequest, reply: FastifyReply): void {
  const { status, headers, body } = problem('bad_request', 'the path is not a well-formed URL');
  reply.code(status).headers(headers).send(body);
}

/** Bytes that are no request, or come too slowly to be one. */
export function refuseBytes(
  this: FastifyInstance,
  error: Error & { readonly code?: string },
  socket: Socket,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  this.log.trace({ err: error }, 'client error');
  answerSocket(socket, problemWith(error.code));
}

function problemWith(code: string | undefined): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return problem('bad_request', 'the request took too long to come', {}, 408);
  if (code === 'HPE_HEADER_OVERFLOW') return problem('too_large', 'the headers are too large', {}, 431);
  return problem('bad_request', 'what came is no request of HTTP');
}
