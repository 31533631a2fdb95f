import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { eventsIn } from './events.js';
import type { Lineage } from './lineage.js';
import { START } from './lineage.js';

/** One connection, or several short ones, of a reader that knows nothing of ours but the wire. */
export interface Visit {
  readonly port: number;
  readonly channels: readonly string[];
  readonly positions: Lineage;
  readonly cursor: CursorHolder;
  /** Says that the reader has enough: it destroys its socket, wherever it is. */
  readonly leave: AbortSignal;
  /** How long a long-poll of /v1/read waits. */
  readonly waitMs: number;
  /** Whether a position goes in Last-Event-ID, beside one that is older. */
  readonly byLastEventId: boolean;
  /** Something was heard. */
  heard(): void;
}

/** Where a reader of /v1/read stands: the same positions, as one text. */
export interface CursorHolder {
  readonly text: string | undefined;
  /** Whether a reader without a cursor says its offsets; else it begins at the tail. */
  readonly beginsByOffset: boolean;
  came(text: string): void;
}

/** Reads until its connection ends or it has enough. */
export type Reader = (visit: Visit) => Promise<void>;

export const STREAM_READERS = { webSocket, events, longPoll, poll };
export const CURSOR_READERS = { readEvents, readLongPoll, readPoll };

interface Envelope {
  readonly type: string;
  readonly channel: string;
  readonly offset: string;
  readonly data: unknown;
  readonly resume: string;
}

const QUIET = new Set(['welcome', 'bye']);
/** What a proxy answers where nobody is behind it: as good as a cut. */
const AWAY = new Set([502, 503, 504]);

function webSocket({ port, channels, positions, leave, heard }: Visit): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'earshot.v1.json', {
      perMessageDeflate: false,
    });
    const end = () => socket.terminate();
    leave.addEventListener('abort', end);
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => {
      leave.removeEventListener('abort', end);
      resolve();
    });
    socket.once('open', () => {
      for (const [at, channel] of channels.entries())
        socket.send(
          JSON.stringify({ type: 'subscribe', id: at + 1, channel, offset: positions.offset(channel) }),
        );
    });
    socket.on('message', (text) => {
      hear(positions, JSON.parse(String(text)));
      heard();
    });
    if (leave.aborted) end();
  });
}

function hear(positions: Lineage, { type, channel, offset, data, resume }: Envelope): void {
  if (type === 'message') positions.takes(channel, [numberOf(data)], offset);
  else if (type === 'gap' || resume === 'lost') positions.misses(channel, offset);
  else if (type === 'subscribed') positions.moves(channel, offset);
  else if (!QUIET.has(type)) positions.fault(channel, `told ${type}`);
}

async function events(visit: Visit): Promise<void> {
  const [channel = ''] = visit.channels;
  const { positions } = visit;
  const at = positions.offset(channel);
  const [asked, headers] = visit.byLastEventId ? [START, { 'last-event-id': at }] : [at, {}];
  const response = await ask(visit, `/v1/stream/${channel}?live=sse&offset=${asked}`, headers);
  if (response === undefined || !isServed(visit, channel, response)) return;
  await untilCut(async () => {
    for await (const { event, id = '', data = '' } of eventsIn(response)) {
      if (event === 'data') positions.takes(channel, numbersIn(data), id);
      else positions.moves(channel, id);
      if (event === 'control' && JSON.parse(data).streamNextOffset !== id)
        positions.fault(channel, `${data} has the id ${id}`);
      visit.heard();
    }
  });
}

function longPoll(visit: Visit): Promise<void> {
  return oneAfterTheOther(visit, '&live=long-poll');
}

function poll(visit: Visit): Promise<void> {
  return oneAfterTheOther(visit, '');
}

async function oneAfterTheOther(visit: Visit, mode: string): Promise<void> {
  const [channel = ''] = visit.channels;
  const { positions } = visit;
  while (!visit.leave.aborted) {
    const response = await ask(visit, `/v1/stream/${channel}?offset=${positions.offset(channel)}${mode}`);
    const body = await bodyOf(response);
    if (response === undefined || body === undefined || !isServed(visit, channel, response)) return;
    const numbers = response.statusCode === 204 ? [] : numbersIn(body);
    positions.takes(channel, numbers, String(response.headers['stream-next-offset']));
    visit.heard();
  }
}

/** False where there is nothing to be read: told of a gap, it begins anew at what is kept. */
function isServed({ positions, heard }: Visit, channel: string, { statusCode }: IncomingMessage): boolean {
  if (statusCode === 200 || statusCode === 204) return true;
  if (AWAY.has(statusCode ?? 0)) return false;
  if (statusCode === 410) positions.misses(channel, START);
  else positions.fault(channel, `answered ${statusCode}`);
  heard();
  return false;
}

async function readEvents(visit: Visit): Promise<void> {
  const { cursor, byLastEventId } = visit;
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  const byHeader = byLastEventId && cursor.text !== undefined;
  if (byHeader) headers['last-event-id'] = cursor.text;
  const response = await ask(visit, pathOf(visit, byHeader ? undefined : cursor.text), headers);
  if (response === undefined || !isRead(visit, response)) return;
  await untilCut(async () => {
    for await (const { id, data } of eventsIn(response)) {
      if (id === undefined) visit.positions.fault('all', 'an event has no id');
      else cursor.came(id);
      if (data !== undefined) hear(visit.positions, JSON.parse(data));
      visit.heard();
    }
  });
}

function readLongPoll(visit: Visit): Promise<void> {
  return readOneAfterTheOther(visit, visit.waitMs);
}

function readPoll(visit: Visit): Promise<void> {
  return readOneAfterTheOther(visit, 0);
}

async function readOneAfterTheOther(visit: Visit, waitMs: number): Promise<void> {
  const { cursor, leave } = visit;
  while (!leave.aborted) {
    const response = await ask(visit, `${pathOf(visit, cursor.text)}&waitMs=${waitMs}`);
    const body = await bodyOf(response);
    if (response === undefined || body === undefined || !isRead(visit, response)) return;
    const answer: { readonly cursor: string; readonly envelopes: readonly Envelope[] } = JSON.parse(body);
    cursor.came(answer.cursor);
    for (const envelope of answer.envelopes) hear(visit.positions, envelope);
    visit.heard();
  }
}

function pathOf({ channels, positions, cursor }: Visit, text: string | undefined): string {
  const query = new URLSearchParams(channels.map((channel) => ['channel', channel]));
  if (text !== undefined) query.set('cursor', text);
  else if (cursor.beginsByOffset)
    for (const channel of channels) query.append('offset', positions.offset(channel));
  return `/v1/read?${query}`;
}

function isRead({ positions, heard }: Visit, { statusCode }: IncomingMessage): boolean {
  if (statusCode === 200) return true;
  if (AWAY.has(statusCode ?? 0)) return false;
  positions.fault('all', `answered ${statusCode}`);
  heard();
  return false;
}

/** A connection of its own. Undefined where it was cut before its answer. */
function ask(
  { port, leave }: Visit,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false, signal: leave });
    asked.on('error', () => resolve(undefined));
    asked.on('response', resolve);
    asked.end();
  });
}

/** Undefined where it was cut before its end. */
async function bodyOf(response: IncomingMessage | undefined): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  if (response === undefined) return undefined;
  await untilCut(async () => {
    for await (const chunk of response) chunks.push(chunk);
  });
  return response.complete ? Buffer.concat(chunks).toString() : undefined;
}

async function untilCut(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // whatever it is: what has no such code is thrown on
    if (code !== 'ECONNRESET' && code !== 'ABORT_ERR') throw error;
  }
}

function numbersIn(data: string): number[] {
  const items: unknown[] = JSON.parse(data);
  return items.map(numberOf);
}

/** Of a message, which may be made long by what follows its number. */
function numberOf(data: unknown): number {
  return Number.parseInt(String(data), 10);
}
