import type { Fan } from '../../core/carrier.js';
import type { WebSocketConnection } from './connection.js';

/**
 * Of the accelerator: hands the same bytes to descriptors without waiting, and puts how many each took, or -errno, into
 * `sent`. Descriptors below 0 are left out, with -EAGAIN.
 */
export type Send = (descriptors: Int32Array, count: number, bytes: Uint8Array, sent: Int32Array) => void;

/**
 * Sends to many sockets in one call below Node's streams. Between looking for the descriptors and the send nothing runs
 * but the getters of Node that are read: nobody can close a socket there, so no descriptor is ever somebody else's.
 */
export class SendFan implements Fan<Uint8Array> {
  readonly #send: Send;
  #descriptors = new Int32Array(128);
  #sent = new Int32Array(128);

  constructor(send: Send) {
    this.#send = send;
  }

  write(connections: readonly WebSocketConnection[], bytes: Uint8Array): void {
    const count = connections.length;
    if (count > this.#descriptors.length) this.#grow(count);
    const descriptors = this.#descriptors;
    const sent = this.#sent;
    let at = 0;
    for (const connection of connections) descriptors[at++] = connection.descriptor;
    this.#send(descriptors, count, bytes, sent);
    at = 0;
    for (const connection of connections) connection.sent(bytes, sent[at++] ?? 0);
  }

  #grow(count: number): void {
    this.#descriptors = new Int32Array(2 * count);
    this.#sent = new Int32Array(2 * count);
  }
}
