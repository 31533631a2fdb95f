import type { Test } from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import type { RawResponse, RawSocket } from '../support/raw-socket.js';
import { rawConnect } from '../support/raw-socket.js';
import { noteRequest } from '../support/secrets.js';
import type { Refusal, SceneOptions } from './scene.js';
import { isProblem, type Scene, scene, undisturbed } from './scene.js';

/** A scene in which somebody waits over HTTP as well: it must not notice what others do. */
export interface StreamScene extends Scene {
  /** What it gets in the end. */
  readonly waiting: Promise<Response>;
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  /** A list repeats a header; undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string | Uint8Array;
}

export const ELSEWHERE = 'else/where';
export const JSON_BODY = { 'content-type': 'application/json' } as const;

export async function streamScene(
  t: Test,
  options: EarshotOptions = {},
  sceneOptions: SceneOptions = {},
  headers: Record<string, string> = {},
): Promise<StreamScene> {
  const on = await scene(t, { longPollTimeoutMs: 120_000, ...options }, sceneOptions);
  await on.app.earshot.publish(ELSEWHERE, 'first');
  const waiting = fetch(`${on.url}/v1/stream/${ELSEWHERE}?offset=now&live=long-poll`, { headers });
  await on.metricReaches(1, 'earshot_sessions', { transport: 'long-poll' });
  return { ...on, waiting };
}

/** The process lives, the WebSocket was told nothing, and who waits gets the next message of its channel and no more. */
export async function undisturbedStreams(t: Test, on: StreamScene): Promise<void> {
  await undisturbed(t, on);
  await on.app.earshot.publish(ELSEWHERE, 'last');
  const response = await on.waiting;
  t.equal(response.status, 200);
  t.equal(await response.text(), '["last"]');
  await sessionsLeft(on, 1);
}

/** So many sessions are left, with the bystander's. */
export async function sessionsLeft({ app, metric }: Scene, sessions: number): Promise<void> {
  await eventually(`${sessions} sessions`, () => app.earshot.stats().sessions === sessions);
  await eventually(`a metric of ${sessions}`, async () => (await metric('earshot_sessions')) === sessions);
}

/** The bytes of a request; the length of a body is told unless the headers say otherwise. */
export function requestText({ method = 'GET', path = '/', headers = {}, body }: Sent): Buffer {
  const usual = {
    host: 'localhost',
    connection: 'close',
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
  };
  const all = { ...usual, ...headers };
  noteRequest(all, [], path);
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(body ?? '')]);
}

/** What is answered. The connection is let go. */
export async function ask(t: Test, { port }: Scene, sent: Sent): Promise<RawResponse> {
  const raw = await rawConnect(t, port);
  await raw.send(requestText(sent));
  const response = await raw.response(20_000);
  raw.socket.destroy();
  return response;
}

/** Sends it and leaves the connection open, as who waits does. */
export async function begin(t: Test, { port }: Scene, sent: Sent): Promise<RawSocket> {
  const raw = await rawConnect(t, port);
  await raw.send(requestText({ ...sent, headers: { connection: 'keep-alive', ...sent.headers } }));
  return raw;
}

/** A case of a table: what is sent, and how it is refused. */
export type Case = readonly [name: string, sent: Sent, refusal: Refusal];

export async function allRefused(t: Test, on: Scene, cases: readonly Case[]): Promise<void> {
  for (const [name, sent, refusal] of cases) {
    t.comment(name);
    isProblem(t, await ask(t, on, sent), refusal);
  }
}

export function bad(code = 'bad_request', status = 400): Refusal {
  return { status, code };
}

export function put(on: Scene, channel: string, headers: Record<string, string> = {}, body?: string) {
  const all = { ...JSON_BODY, ...headers };
  return fetch(`${on.url}/v1/stream/${channel}`, {
    method: 'PUT',
    headers: all,
    ...(body !== undefined && { body }),
  });
}

export function post(on: Scene, channel: string, body: string, headers: Record<string, string> = {}) {
  return fetch(`${on.url}/v1/stream/${channel}`, {
    method: 'POST',
    headers: { ...JSON_BODY, ...headers },
    body,
  });
}

/** Where a channel ends. */
export async function tailOf(on: Scene, channel: string): Promise<string> {
  const response = await fetch(`${on.url}/v1/stream/${channel}`, { method: 'HEAD' });
  const offset = response.headers.get('stream-next-offset');
  if (offset === null) throw new Error(`${channel} tells no offset: ${response.status}`);
  return offset;
}
