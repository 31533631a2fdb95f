import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { connect, createServer, Socket } from 'node:net';
import type { Fan } from '../../core/carrier.js';
import type { NativeHandle } from './connection.js';
import type { Send } from './send-fan.js';
import { SendFan } from './send-fan.js';

const NAME = 'earshot-accelerator';
const PROBE_TIMEOUT_MS = 5000;
const CHUNK = Buffer.alloc(64 * 1024);
/** More than the buffers of any kernel take. */
const MAX_FILL_BYTES = 256 * 1024 * 1024;

/** A socket with its handle, which is null once it is destroyed. */
type Opened = Socket & { readonly _handle: NativeHandle | null };

/** It was asked for, and can't be had: why, in one line. */
export class AcceleratorError extends Error {
  override readonly name = 'AcceleratorError';

  constructor(why: string) {
    super(`accelerate: ${why}`);
  }
}

/** Writes to many WebSockets at once, below Node's streams. */
export class Accelerator {
  readonly #fan: Fan<Uint8Array>;
  /** Of TCP: what a TLS socket has is another, with a descriptor to which nothing may be written in the clear. */
  readonly #handlePrototype: unknown;

  constructor(send: Send, handlePrototype: unknown) {
    this.#fan = new SendFan(send);
    this.#handlePrototype = handlePrototype;
  }

  /** For plain TCP as Node made it; undefined for anything else: TLS, HTTP/2, a pipe, a socket that somebody has altered. */
  fanFor(socket: Socket): Fan<Uint8Array> | undefined {
    const { _handle: handle } = socket as Opened; // its own field, on every Node that `probe` has let pass
    const isPlain =
      Object.getPrototypeOf(socket) === Socket.prototype && !Object.hasOwn(socket, 'write') && handle;
    return isPlain && Object.getPrototypeOf(handle) === this.#handlePrototype ? this.#fan : undefined;
  }
}

/** Rejects with an AcceleratorError where there can be none here. */
export async function loadAccelerator(): Promise<Accelerator> {
  try {
    const send = loadAddon();
    return new Accelerator(send, await probe(send));
  } catch (error) {
    if (error instanceof AcceleratorError) throw error;
    throw new AcceleratorError(`it can't be tried: ${error}`);
  }
}

function loadAddon(): Send {
  try {
    const addon: { readonly send: Send } = createRequire(import.meta.url)(NAME);
    return addon.send;
  } catch (error) {
    const [why] = String(error instanceof Error ? error.message : error).split('\n');
    throw new AcceleratorError(
      `${why}: it is built when Earshot is installed, where there is a C compiler; npm rebuild ${NAME} tries again`,
    );
  }
}

/** Tries on a pair of sockets everything that is used of Node. Gives the prototype of TCP handles. */
async function probe(send: Send): Promise<unknown> {
  const { socket, peer } = await socketPair();
  try {
    const { _handle: handle } = socket;
    check(handle !== null && handle.fd >= 0 && handle.writeQueueSize === 0, 'a socket has a descriptor');
    await new Promise((resolve) => socket.write('a', resolve));
    check(sendOne(send, handle.fd, 'b') === 1, 'something can be sent to it');
    socket.write('c');
    check((await read(peer, 3)) === 'abc', 'what is sent keeps its place');
    for (let filled = 0; socket.writableLength === 0 && filled < MAX_FILL_BYTES; filled += CHUNK.length)
      socket.write(CHUNK);
    check(socket.writableLength > 0 && handle.writeQueueSize > 0, 'it is known what waits');
    socket.destroy();
    check(socket._handle === null && handle.fd < 0, 'a socket that is destroyed has no descriptor');
    return Object.getPrototypeOf(handle);
  } finally {
    socket.destroy();
    peer.destroy();
  }
}

async function socketPair(): Promise<{ socket: Opened; peer: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // of a server that listens on TCP
    const accepted = once(server, 'connection');
    const peer = connect(port, '127.0.0.1');
    const [socket] = await accepted;
    return { socket, peer };
  } finally {
    server.close();
  }
}

function sendOne(send: Send, descriptor: number, text: string): number | undefined {
  const sent = new Int32Array(1);
  send(Int32Array.of(descriptor), 1, Buffer.from(text), sent);
  return sent[0];
}

async function read(peer: Socket, bytes: number): Promise<string> {
  let text = '';
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  while (text.length < bytes) {
    await once(peer, 'readable', { signal });
    text += peer.read() ?? '';
  }
  return text;
}

function check(isSo: boolean, what: string): asserts isSo {
  if (!isSo)
    throw new AcceleratorError(
      `it does not go with Node ${process.versions.node}, where it is not so that ${what}`,
    );
}
