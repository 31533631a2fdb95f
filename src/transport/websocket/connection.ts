import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Carrier, Encoding } from '../../core/carrier.js';

/** The counters that net.Socket and tls.TLSSocket have. */
interface CountedSocket extends Duplex {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
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
  readonly #webSocket: WebSocket;
  readonly #socket: CountedSocket;

  constructor(webSocket: WebSocket, socket: Duplex, encoding: Encoding<Uint8Array>) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.encoding = encoding;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead ?? 0;
  }

  get sentBytes(): number {
    return (this.#socket.bytesWritten ?? 0) - this.#socket.writableLength;
  }

  get #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN && this.#socket.writable;
  }

  write(bytes: Uint8Array): void {
    if (this.#isOpen) this.#socket.write(bytes);
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
