import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { noteRequest } from './secrets.js';
import type { Teardown } from './spawn.js';

export { closeFrame, closeOf, type Frame, frame, OPCODES, type ParsedFrames, parseFrames } from './frames.js';

export interface RawSocket {
  readonly socket: Socket;
  /** Writes the bytes as they are. Resolves when the kernel has them, or when they can't be written. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** All that came and was not taken yet. */
  received(): Buffer;
  /** Waits until `find` gives something for what came. Takes nothing. Rejects when the peer ends before. */
  readUntil<Found>(find: (bytes: Buffer) => Found | undefined | false, timeoutMs?: number): Promise<Found>;
  /** Takes one HTTP response; what follows it, such as frames after a 101, stays to be read. */
  response(timeoutMs?: number): Promise<RawResponse>;
  /** Takes the next `bytes`, or all there are. */
  take(bytes?: number): Buffer;
  /** When nothing more will come. */
  readonly closed: Promise<Closed>;
}

export interface Closed {
  /** The connection was cut (a reset), not ended. */
  readonly hadError: boolean;
  /** Since it was made. */
  readonly afterMs: number;
}

export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  /** By their names in lower case; those that come twice are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HandshakeInit {
  readonly method?: string;
  readonly path?: string;
  /** Of HTTP: `1.1`. */
  readonly httpVersion?: string;
  /** Sec-WebSocket-Version: 13. */
  readonly version?: string | number;
  readonly protocols?: readonly string[];
  /** Over the usual ones, by any case of their names; undefined takes one away, a list repeats it. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

const READ_TIMEOUT_MS = 5_000;
const HEAD_END = '\r\n\r\n';

/** A TCP connection to a port of this host's loopback. It ends with the test. */
export async function rawConnect(t: Teardown, port: number): Promise<RawSocket> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return rawSocket(socket);
}

/** The text of an opening handshake (RFC 6455 §4.1); each part can be replaced. */
export function handshake(init: HandshakeInit = {}): string {
  const { method = 'GET', path = '/', httpVersion = '1.1', version = 13, protocols = [] } = init;
  const usual = {
    host: 'localhost',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': String(version),
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...(protocols.length > 0 && { 'sec-websocket-protocol': protocols.join(', ') }),
  };
  const given = Object.entries(init.headers ?? {}).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const all = { ...usual, ...Object.fromEntries(given) };
  noteRequest(all, protocols, path);
  const headers = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return `${method} ${path} HTTP/${httpVersion}\r\n${headers.join('')}\r\n`;
}

function rawSocket(socket: Socket): RawSocket {
  let bytes = Buffer.alloc(0);
  let hasEnded = false;
  const closed = closeOfSocket(socket);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    socket.emit('progress');
  });
  for (const end of ['end', 'close']) {
    socket.on(end, () => {
      hasEnded = true;
      socket.emit('progress');
    });
  }

  const take = (length = bytes.length) => {
    const taken = bytes.subarray(0, length);
    bytes = bytes.subarray(length);
    return taken;
  };
  const watch = <Found>(find: Find<Found>, timeoutMs = READ_TIMEOUT_MS) =>
    until(
      socket,
      () => find(bytes, hasEnded),
      () => hasEnded,
      () => bytes,
      timeoutMs,
    );

  return {
    socket,
    closed,
    take,
    received: () => bytes,
    readUntil: watch,
    send: (text) => new Promise((resolve) => socket.write(text, () => resolve())),
    async response(timeoutMs) {
      const { size, response } = await watch(parseResponse, timeoutMs);
      take(size);
      return response;
    },
  };
}

type Find<Found> = (bytes: Buffer, hasEnded: boolean) => Found | undefined | false;

/** Tries `find` whenever something came, until it gives something. */
function until<Found>(
  socket: Socket,
  find: () => Found | undefined | false,
  hasEnded: () => boolean,
  bytes: () => Buffer,
  timeoutMs: number,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    const settle = (work: () => void) => {
      clearTimeout(timer);
      socket.off('progress', look);
      work();
    };
    const giveUp = (why: string) =>
      settle(() => reject(new Error(`${why}; what came: ${JSON.stringify(bytes().toString('latin1'))}`)));
    const look = () => {
      const found = find();
      if (found !== undefined && found !== false) settle(() => resolve(found));
      else if (hasEnded()) giveUp('the peer ended');
    };
    const timer = setTimeout(() => giveUp(`nothing fitting came in ${timeoutMs} ms`), timeoutMs);
    socket.on('progress', look);
    look();
  });
}

function closeOfSocket(socket: Socket): Promise<Closed> {
  const since = performance.now();
  let hadError = false;
  socket.on('error', () => {
    hadError = true;
  });
  return new Promise((resolve) => {
    socket.once('close', () => resolve({ hadError, afterMs: performance.now() - since }));
  });
}

function parseResponse(bytes: Buffer, hasEnded: boolean) {
  const headSize = bytes.indexOf(HEAD_END);
  if (headSize === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headSize).split('\r\n');
  const [, status = '', reason = ''] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(statusLine) ?? [];
  if (status === '') throw new Error(`not a response: ${statusLine}`);
  const headers = parseHeaders(lines);
  const rest = bytes.subarray(headSize + HEAD_END.length);
  const body = parseBody(Number(status), headers, rest, hasEnded);
  if (body === undefined) return undefined;
  const response = { status: Number(status), reason, headers, body: body.text };
  return { size: headSize + HEAD_END.length + body.size, response };
}

function parseHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}

interface Body {
  readonly text: string;
  readonly size: number;
}

/** By RFC 9112 §6.3: none, chunked, as long as it says, or all until the end. */
function parseBody(
  status: number,
  headers: Record<string, string>,
  rest: Buffer,
  hasEnded: boolean,
): Body | undefined {
  if (status < 200 || status === 204 || status === 304) return { text: '', size: 0 };
  if (/\bchunked\b/i.test(headers['transfer-encoding'] ?? '')) return parseChunks(rest);
  const length = headers['content-length'];
  if (length === undefined) return hasEnded ? { text: rest.toString(), size: rest.length } : undefined;
  if (rest.length < Number(length)) return undefined;
  return { text: rest.toString('utf8', 0, Number(length)), size: Number(length) };
}

function parseChunks(rest: Buffer): Body | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('not a chunk');
    const end = lineEnd + 2 + size + 2;
    if (rest.length < end) return undefined;
    chunks.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = end;
    if (size === 0) return { text: Buffer.concat(chunks).toString(), size: at };
  }
}
