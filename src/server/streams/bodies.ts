import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refused } from '../../protocol/refused.js';
import { whenCut } from '../http/cut.js';

/** Bodies that are under way or being worked on, all together: each has a bound of its own, but many may come at once. */
export class Bodies {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Keeps room for the body of a request for as long as the request lasts. Throws where there is none. */
  keepRoom(request: FastifyRequest, reply: FastifyReply, maxBodyBytes: number): void {
    const bytes = Math.min(announced(request), maxBodyBytes); // what is longer is refused for that
    if (bytes === 0) return;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes)
      throw new Refused('unavailable', 'too many bodies are under way');
    this.#bytes += bytes;
    let held = bytes;
    const release = () => {
      this.#bytes -= held;
      held = 0;
    };
    reply.raw.once('close', release);
    whenCut(request.raw, reply.raw, release);
  }
}

/** A body that doesn't say how long it is may be of any length. */
function announced({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY;
  const length = Number(headers['content-length'] ?? 0);
  return Number.isFinite(length) ? length : 0;
}
