import type { Http2SecureServer, Http2Session, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';

/** How long peers may take, in ms. What takes longer is ended. */
export interface SecureTimes {
  /** For the TLS handshake, and from there to the first request. */
  readonly headersTimeoutMs: number;
  /** For a whole request, its body included. */
  readonly requestTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
  /** For a peer that reads nothing of an answer. */
  readonly stallTimeoutMs: number;
  readonly checkedEveryMs: number;
}

/**
 * The bounds in time that Node has for HTTP/1.1 and not for HTTP/2: a connection without a request, a request whose
 * body does not come, an answer that nobody takes. Bytes that are no request, such as pings, prolong nothing.
 */
export class Http2Bounds {
  readonly #times: SecureTimes;
  /** When each connection that has no request open is closed, on the clock of `performance`. */
  readonly #idleUntil = new Map<Http2Session, number>();
  /** When each request has to be complete that was not with its headers. */
  readonly #completeUntil = new Map<ServerHttp2Stream, number>();
  readonly #open = new WeakMap<Http2Session, number>();

  constructor(server: Http2SecureServer, times: SecureTimes) {
    this.#times = times;
    server.on('session', (session) => this.#begin(session));
    server.on('stream', (stream) => this.#watch(stream));
    server.on('listening', () => {
      const timer = setInterval(() => this.#check(performance.now()), times.checkedEveryMs).unref();
      server.once('close', () => clearInterval(timer));
    });
  }

  #begin(session: Http2Session): void {
    this.#idleUntil.set(session, performance.now() + this.#times.headersTimeoutMs);
    session.once('close', () => this.#idleUntil.delete(session));
  }

  #watch(stream: ServerHttp2Stream): void {
    const { session } = stream;
    if (session === undefined) return; // gone already
    this.#count(session, 1);
    if (!stream.endAfterHeaders)
      this.#completeUntil.set(stream, performance.now() + this.#times.requestTimeoutMs);
    this.#endWhenStalled(stream);
    stream.once('close', () => {
      this.#completeUntil.delete(stream);
      this.#count(session, -1);
    });
  }

  #count(session: Http2Session, change: 1 | -1): void {
    const open = (this.#open.get(session) ?? 0) + change;
    this.#open.set(session, open);
    if (open > 0) this.#idleUntil.delete(session);
    else if (!session.destroyed) this.#idleUntil.set(session, performance.now() + this.#times.idleTimeoutMs);
  }

  /** Node's own timer starts again whenever something is taken: at its end, what is still queued was left there. */
  #endWhenStalled(stream: ServerHttp2Stream): void {
    stream.setTimeout(this.#times.stallTimeoutMs, () => {
      if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
      else stream.setTimeout(this.#times.stallTimeoutMs);
    });
  }

  #check(now: number): void {
    for (const [session, until] of this.#idleUntil) if (now >= until) session.destroy();
    for (const [stream, until] of this.#completeUntil) {
      if (now < until) continue;
      this.#completeUntil.delete(stream);
      if (stream.state.remoteClose === 0) stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
