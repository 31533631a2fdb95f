import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Carrier, Encoding, Fan } from '../../core/carrier.js';

/** What is used of Node beyond what it promises: of a socket's `_handle`. The accelerator tries it at every start. */
export interface NativeHandle {
  /** Below 0 once it is closed. */
  readonly fd: number;
  /** Bytes that libuv holds for it. */
  readonly writeQueueSize: number;
}

/** The counters that net.Socket and tls.TLSSocket have. */
interface CountedSocket extends Duplex {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** Not public: looked at by `descriptor` only. */
  readonly _handle?: NativeHandle | null;
}

/** Knows one turn of the event loop from another. */
interface TurnClock {
  readonly turn: number;
}

/**
 * A WebSocket as a carrier. Frames that were made once are written to its socket as they are, at frame borders:
 * ws itself writes only pongs, pings and the close, and never defers them, since nothing is sent through its
 * compressor.
 */
export class WebSocketConnection implements Carrier<Uint8Array> {
  readonly transport = 'websocket';
  readonly answersPings = true;
  readonly endsWithSubscriptions = false;
  readonly encoding: Encoding<Uint8Array>;
  /** What this side has closed it with; ws tells 1006 where the peer doesn't answer. */
  closedWith: number | undefined;
  readonly fan: Fan<Uint8Array> | undefined;
  readonly #webSocket: WebSocket;
  readonly #socket: CountedSocket;
  readonly #clock: TurnClock;
  /** The turn of the last write. */
  #wroteIn = -1;
  /** Bytes that went to the descriptor past the socket. */
  #sentPastBytes = 0;

  /** `fan` only where the socket is one that the accelerator takes. */
  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    encoding: Encoding<Uint8Array>,
    clock: TurnClock,
    fan?: Fan<Uint8Array> | undefined,
  ) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.encoding = encoding;
    this.#clock = clock;
    this.fan = fan;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead ?? 0;
  }

  get sentBytes(): number {
    return (this.#socket.bytesWritten ?? 0) - this.#socket.writableLength + this.#sentPastBytes;
  }

  /**
   * Where bytes may be sent past the socket, since nothing waits before them, neither in Node nor below; else -1.
   * True until anything else runs: it is asked for just before the send, and never kept.
   */
  get descriptor(): number {
    const socket = this.#socket;
    const handle = socket._handle;
    if (!handle || !this.#isOpen || socket.writableLength > 0 || socket.writableCorked > 0) return -1;
    return handle.writeQueueSize === 0 ? handle.fd : -1;
  }

  /** What came of a send of these bytes: how many were taken, or an error below 0. The rest takes the usual way. */
  sent(bytes: Uint8Array, result: number): void {
    const taken = Math.max(0, result);
    this.#sentPastBytes += taken;
    if (taken < bytes.length) this.write(taken === 0 ? bytes : bytes.subarray(taken));
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN && this.#socket.writable;
  }

  /** The first of a turn leaves at once. What follows it leaves with the end of the turn, in one write. */
  write(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const { turn } = this.#clock;
    if (turn === this.#wroteIn && this.#socket.writableCorked === 0) this.#gather();
    this.#wroteIn = turn;
    this.#socket.write(bytes);
  }

  #gather(): void {
    this.#socket.cork();
    setImmediate(() => this.#socket.uncork());
  }

  settled(): void {}

  timeUp(): void {}

  ping(): void {
    if (this.#isOpen) this.#webSocket.ping();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  close(code: number, reason: string): void {
    this.closedWith ??= code;
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }
}
