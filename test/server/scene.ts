import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { AppOptions } from '../../src/server/app.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { RunningApp } from '../support/app.js';
import { appOn } from '../support/app.js';
import type { Peer, PeerOptions } from '../support/peer.js';
import { peer } from '../support/peer.js';
import type { HandshakeInit, RawResponse, RawSocket } from '../support/raw-socket.js';
import { handshake, rawConnect } from '../support/raw-socket.js';

/** Within a second, a socket that was refused or broke a rule is gone; the rest is for a busy machine. */
export const GONE_MS = 1000 + 1500;

/** An application with a client that is connected all the while: it must not notice what others do. */
export interface Scene extends RunningApp {
  readonly bystander: Peer;
  /** What nobody caught in this process, errors and rejections alike. */
  readonly uncaught: readonly unknown[];
}

export interface SceneOptions {
  readonly app?: AppOptions;
  readonly bystander?: PeerOptions;
}

export async function scene(
  t: Test,
  options: EarshotOptions = {},
  { app, bystander: peerOptions }: SceneOptions = {},
): Promise<Scene> {
  const uncaught = watchUncaught(t);
  const running = await appOn(t, options, app);
  const bystander = await peer(t, running.wsUrl, peerOptions);
  await bystander.next('welcome');
  return { ...running, bystander, uncaught };
}

/** The bystander answers, was told nothing, and the process has caught everything. */
export async function undisturbed(t: Test, { bystander, uncaught }: Scene): Promise<void> {
  t.strictSame(await bystander.fence(), [], 'another client is undisturbed');
  t.strictSame(uncaught, [], 'nothing was left uncaught');
}

/** Sends a handshake to our path, with our subprotocol, unless said otherwise. */
export function ours(init: HandshakeInit = {}): string {
  return handshake({ path: '/ws', protocols: ['earshot.v1.json'], ...init });
}

/** A WebSocket on a raw socket: the upgrade is done, and what follows it can be read. */
export async function upgraded(t: Test, port: number, init: HandshakeInit = {}): Promise<RawSocket> {
  const raw = await rawConnect(t, port);
  await raw.send(ours(init));
  const { status, body } = await raw.response();
  if (status !== 101) throw new Error(`no upgrade but ${status}: ${body}`);
  return raw;
}

/** A connection, and the server's end of it. */
export async function connected<Connection>(
  { app }: Scene,
  connect: () => Promise<Connection>,
): Promise<{ readonly raw: Connection; readonly socket: Socket }> {
  const accepted = once(app.server, 'connection');
  const raw = await connect();
  const [socket]: Socket[] = await accepted;
  if (socket === undefined) throw new Error('no connection');
  return { raw, socket };
}

/** Sends the bytes and takes the answer; the socket must be gone soon after. */
export async function answerTo(t: Test, port: number, bytes: string | Uint8Array): Promise<RawResponse> {
  const raw = await rawConnect(t, port);
  const since = performance.now();
  await raw.send(bytes);
  const response = await raw.response();
  await raw.closed;
  t.ok(performance.now() - since < GONE_MS, 'the socket is gone within a second');
  return response;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
}

/** A refusal of the upgrade: in words, counted, and nobody else notices. */
export async function refused(
  t: Test,
  on: Scene,
  bytes: string | Uint8Array,
  refusal: Refusal,
): Promise<RawResponse> {
  const reason = { reason: refusal.code };
  const before = await on.metric('earshot_refusals_total', reason);
  const response = await answerTo(t, on.port, bytes);
  isProblem(t, response, refusal);
  t.equal(response.headers['connection'], 'close');
  t.equal(await on.metric('earshot_refusals_total', reason), before + 1, 'it is counted');
  await undisturbed(t, on);
  return response;
}

/** A problem document with our code, which says the status that it has. */
export function isProblem(t: Test, { status, headers, body }: RawResponse, refusal: Refusal): void {
  t.equal(status, refusal.status);
  t.equal(headers['content-type'], 'application/problem+json; charset=utf-8');
  t.equal(headers['cache-control'], 'no-store');
  t.match(JSON.parse(body), { type: 'about:blank', title: /./, detail: /./, advice: /./, ...refusal });
}

const watching = new Set<unknown[]>();
const EVENTS = ['uncaughtExceptionMonitor', 'unhandledRejection'] as const;

function noteUncaught(error: unknown): void {
  for (const uncaught of watching) uncaught.push(error);
}

/** What nobody caught in this process from here on, errors and rejections alike. */
export function watchUncaught(t: Test): readonly unknown[] {
  const uncaught: unknown[] = [];
  if (watching.size === 0) for (const event of EVENTS) process.on(event, noteUncaught);
  watching.add(uncaught);
  t.teardown(() => {
    watching.delete(uncaught);
    if (watching.size === 0) for (const event of EVENTS) process.off(event, noteUncaught);
  });
  return uncaught;
}
