import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { Session } from '../../src/core/session/session.js';
import { encodeMessage } from '../../src/protocol/encode.js';
import { loadAccelerator } from '../../src/transport/websocket/accelerator.js';
import { textFrames } from '../../src/transport/websocket/frame.js';
import type { RunningApp } from './app.js';
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
}

export async function rawReader(t: Test, { app, port }: RunningApp, channel: string): Promise<RawReader> {
  const accepted = once(app.server, 'connection');
  const raw = await rawConnect(t, port);
  const [socket]: Socket[] = await accepted;
  if (socket === undefined) throw new Error('no connection');
  await raw.send(handshake({ path: '/ws', protocols: ['earshot.v1.json'] }));
  await raw.response();
  await raw.send(frame({ payload: JSON.stringify({ type: 'subscribe', id: 1, channel }) }));
  await raw.readUntil((bytes) => bytes.includes('"type":"subscribed"'));
  raw.take();
  return { raw, socket };
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

/** The session of a reader: in development the anonymous are called what their address is. */
export function sessionOf({ app }: RunningApp, { raw }: RawReader): Session {
  const name = `127.0.0.1:${raw.socket.localPort}`;
  const found = [...app.earshot.node.sessions.all()].find(({ identity }) => identity.name === name);
  if (found === undefined) throw new Error(`${name} has no session`);
  return found;
}

/** Bytes that went to its descriptor past Node, by what its carrier says. */
export function sentPastNode(on: RunningApp, reader: RawReader): number {
  const { socket } = reader;
  return sessionOf(on, reader).carrier.sentBytes + socket.writableLength - socket.bytesWritten;
}
