import type { Http2SecureServer, Http2Session, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';

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

/** A connection with HTTP/2 on it. */
interface Watched {
  /** Left half open by a peer that answers no end, it would outlive its session. */
  readonly socket: TLSSocket | undefined;
  /** Requests. */
  open: number;
  /** On the clock of `performance`; it counts while no request is open. */
  idleUntil: number;
}

/**
 * The bounds in time that Node has for HTTP/1.1 and not for HTTP/2: a connection without a request, a request whose
 * body does not come, an answer that nobody takes. Bytes that are no request, such as pings, prolong nothing.
 */
export class Http2Bounds {
  readonly #times: SecureTimes;
  readonly #sessions = new Map<Http2Session, Watched>();
  /** When each request has to be complete that was not with its headers. */
  readonly #completeUntil = new Map<ServerHttp2Stream, number>();
  #newest: TLSSocket | undefined;

  constructor(server: Http2SecureServer, times: SecureTimes) {
    this.#times = times;
    server.prependListener('secureConnection', (socket) => {
      this.#newest = socket; // its session, which shows none that can be cut, begins within this same event
    });
    server.on('session', (session) => this.#begin(session));
    server.on('stream', (stream) => this.#watch(stream));
    server.on('listening', () => {
      const timer = setInterval(() => this.#check(performance.now()), times.checkedEveryMs).unref();
      server.once('close', () => clearInterval(timer));
    });
  }

  #begin(session: Http2Session): void {
    const idleUntil = performance.now() + this.#times.headersTimeoutMs;
    this.#sessions.set(session, { socket: this.#newest, open: 0, idleUntil });
    session.once('close', () => this.#sessions.delete(session));
  }

  #watch(stream: ServerHttp2Stream): void {
    const watched = stream.session && this.#sessions.get(stream.session);
    if (watched === undefined) return; // gone already
    watched.open++;
    if (!stream.endAfterHeaders)
      this.#completeUntil.set(stream, performance.now() + this.#times.requestTimeoutMs);
    this.#endWhenStalled(stream);
    stream.once('close', () => {
      this.#completeUntil.delete(stream);
      watched.open--;
      watched.idleUntil = performance.now() + this.#times.idleTimeoutMs;
    });
  }

  /** Node's own timer starts again whenever something is taken: at its end, what is still queued was left there. */
  #endWhenStalled(stream: ServerHttp2Stream): void {
    stream.setTimeout(this.#times.stallTimeoutMs, () => {
      if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
      else stream.setTimeout(this.#times.stallTimeoutMs);
    });
  }

  #check(now: number): void {
    for (const [session, { socket, open, idleUntil }] of this.#sessions) {
      if (open > 0 || now < idleUntil) continue;
      session.destroy(); // with a GOAWAY, where it was not gone already
      socket?.destroy();
    }
    for (const [stream, until] of this.#completeUntil) {
      if (now < until) continue;
      this.#completeUntil.delete(stream);
      if (stream.state.remoteClose === 0) stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
