import type { ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

/**
 * True where nobody is there to read an answer any more: its 'close' has come, or is about to. Over HTTP/2 an answer
 * only wears the face of `node:http`, and has no `destroyed`.
 */
export function isGone(response: ServerResponse | { readonly stream: ServerHttp2Stream }): boolean {
  if ('stream' in response) return response.stream.destroyed || response.stream.closed;
  return response.destroyed;
}
