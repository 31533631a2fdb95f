import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back where the connection ends before it is a response's turn. One that waits behind others on its connection
 * (pipelining) has no socket yet, and Node never tells it that there is nobody left: no 'close', no error.
 */
export function whenCut(request: IncomingMessage, response: ServerResponse, call: () => void): void {
  if (response.socket !== null || request.httpVersionMajor !== 1) return;
  const { socket } = request;
  const calls = waiting.get(socket) ?? watch(socket);
  calls.add(call);
  response.once('close', () => calls.delete(call));
  if (socket.destroyed) call();
}

/** One listener for all that wait on it. */
function watch(socket: Socket): Set<() => void> {
  const calls = new Set<() => void>();
  waiting.set(socket, calls);
  socket.once('close', () => {
    for (const call of calls) call();
  });
  return calls;
}
