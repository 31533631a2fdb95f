import { spawnSync } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { Session } from '../../src/core/session/session.js';
import { encodeMessage } from '../../src/protocol/encode.js';
import { loadAccelerator } from '../../src/transport/websocket/accelerator.js';
import { textFrames } from '../../src/transport/websocket/frame.js';
import type { RunningApp } from './app.js';
import { eventually } from './app.js';
import type { RawSocket } from './raw-socket.js';
import { frame, handshake, rawConnect } from './raw-socket.js';

/** Where there is a compiler, `npm ci` has built the add-on: that it isn't there is no reason to test less. */
export const canBuild =
  ['linux', 'darwin'].includes(process.platform) &&
  spawnSync(process.env['CC'] ?? 'cc', ['--version'], { stdio: 'ignore' }).status === 0;

/** What the tests are run with, or why it can't be had: to be told in one line. */
export const accelerator = await loadAccelerator().catch((error: Error) => error);

export const isThere = !(accelerator instanceof Error);

/** A test of what the add-on does. Without one, and without a compiler, a line says that it was not run. */
export function accelerated(t: Test, name: string, run: (t: Test) => Promise<void>): void {
  if (isThere || canBuild) void t.test(name, run);
  else t.comment(`not tested, since there is no C compiler: ${name}`);
}

/** A subscriber on a raw socket, and the server's end of it; what it was sent up to here is taken. */
export interface RawReader {
  readonly raw: RawSocket;
  readonly socket: Socket;
  readonly session: Session;
}

/** The server's ends of all connections that were ever made, by the port of the other end. */
const accepted = new WeakMap<RunningApp, Map<number | undefined, Socket>>();

function acceptedOn(on: RunningApp): Map<number | undefined, Socket> {
  const known = accepted.get(on);
  if (known !== undefined) return known;
  const sockets = new Map<number | undefined, Socket>();
  on.app.server.on('connection', (socket) => sockets.set(socket.remotePort, socket));
  accepted.set(on, sockets);
  return sockets;
}

export async function rawReader(t: Test, on: RunningApp, channel: string): Promise<RawReader> {
  const sockets = acceptedOn(on);
  const raw = await rawConnect(t, on.port);
  await raw.send(handshake({ path: '/ws', protocols: ['earshot.v1.json'] }));
  await raw.response();
  await raw.send(frame({ payload: JSON.stringify({ type: 'subscribe', id: 1, channel }) }));
  await raw.readUntil((bytes) => bytes.includes('"type":"subscribed"'), 20_000);
  raw.take();
  const { localPort } = raw.socket;
  const socket = sockets.get(localPort);
  // in development the anonymous are called what their address is
  const isTheirs = ({ identity }: Session) => identity.name === `127.0.0.1:${localPort}`;
  const session = [...on.app.earshot.node.sessions.all()].find(isTheirs);
  if (socket === undefined || session === undefined) throw new Error('it was not accepted');
  return { raw, socket, session };
}

/** Keeps what comes, without a copy of all of it for each piece. */
export class Collected {
  readonly #pieces: Buffer[] = [];
  #size = 0;

  constructor({ raw }: RawReader) {
    const take = () => {
      const piece = raw.take();
      this.#size += piece.length;
      this.#pieces.push(piece);
    };
    take();
    raw.socket.on('data', take);
  }

  /** Waits for the last of these bytes. True where it was all of them in order, and nothing else. */
  async is(expected: Buffer): Promise<boolean> {
    await eventually(`the last of ${expected.length} bytes`, () => this.#size >= expected.length);
    return Buffer.concat(this.#pieces).equals(expected);
  }
}

/** Every byte that a reader from the beginning has to be sent. */
export async function expectedBytes({ app }: RunningApp, channel: string): Promise<Buffer> {
  const { store } = app.earshot;
  const frames: Buffer[] = [];
  let page = await store.read(channel, '-1', { messages: 1000, bytes: 1e9 });
  for (;;) {
    frames.push(textFrames(page.messages.map((message) => encodeMessage(channel, message))));
    if (page.upToDate) return Buffer.concat(frames);
    page = await store.read(channel, { epoch: page.epoch, seq: page.seq }, { messages: 1000, bytes: 1e9 });
  }
}

/** Bytes that went to its descriptor past Node, by what its carrier says. */
export function sentPastNode({ session, socket }: RawReader): number {
  return session.carrier.sentBytes + socket.writableLength - socket.bytesWritten;
}
