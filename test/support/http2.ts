import type { EventEmitter } from 'node:events';
import { on, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from 'node:http2';
import { connect } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import { noteRequest } from './secrets.js';
import type { Teardown } from './spawn.js';

export type HttpVersion = 'HTTP/2' | 'HTTP/1.1';

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const WAIT_MS = 10_000;
const HEAD_BYTES = 9;

/** One HTTP/2 connection. */
export interface Http2Client {
  readonly session: ClientHttp2Session;
  /** Asks, and waits for the end of the answer. */
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** Begins a request whose body, if it has one, is still to be written. */
  begin(path: string, ask?: Ask & { readonly hasBody?: boolean }): ClientHttp2Stream;
}

/** Connects over TLS to an address of ours. The connection ends with the test. */
export async function http2Client(t: Teardown, url: string, ca: Buffer): Promise<Http2Client> {
  const session = connect(url, { ca });
  t.teardown(() => session.destroy());
  session.on('error', () => {}); // told by the requests that fail
  await once(session, 'connect');
  const begin: Http2Client['begin'] = (path, { method = 'GET', headers = {}, hasBody = false } = {}) => {
    noteRequest(headers, [], path);
    const all: OutgoingHttpHeaders = { ':method': method, ':path': path, ...headers };
    return session.request(all, { endStream: !hasBody });
  };
  const ask: Http2Client['ask'] = async (path, asked = {}) => {
    const stream = begin(path, { ...asked, hasBody: asked.body !== undefined });
    if (asked.body !== undefined) stream.end(asked.body);
    const [headers]: [IncomingHttpHeaders & { readonly ':status'?: number }] = (await once(
      stream,
      'response',
    )) as [IncomingHttpHeaders];
    return { status: headers[':status'] ?? 0, headers, body: await textOf(stream) };
  };
  return { session, ask, begin };
}

/** Asks over TLS on a connection of its own, with HTTP/1.1. */
export async function askHttps(url: string, ca: Buffer, path: string, ask: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = ask;
  noteRequest(headers, [], path);
  const request = requestHttps(url + path, { method, headers, ca, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage]; // as node:http documents it
  return { status: response.statusCode ?? 0, headers: response.headers, body: await textOf(response) };
}

/** A way to ask that is the same for both. */
export async function askerOver(
  t: Teardown,
  version: HttpVersion,
  url: string,
  ca: Buffer,
): Promise<Http2Client['ask']> {
  if (version === 'HTTP/2') return (await http2Client(t, url, ca)).ask;
  return (path, ask) => askHttps(url, ca, path, ask);
}

/** A TLS connection on which bytes are sent as they are. It ends with the test. */
export async function rawTls(t: Teardown, port: number, ca: Buffer, protocol: string): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: [protocol] });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {}); // told by 'close'
  await once(socket, 'secureConnect');
  return socket;
}

/** Waits for its end, by whatever. */
export function closeOf(closing: EventEmitter): Promise<void> {
  if (closing instanceof Duplex) closing.resume();
  return new Promise((resolve) => closing.once('close', () => resolve()));
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** What a client of HTTP/2 begins with, and no settings of its own. */
export const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frameOf(4, 0, 0)]);
export const FRAMES = { data: 0, headers: 1, reset: 3, ping: 6, goAway: 7 } as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

/** One frame (RFC 9113 §4.1). */
export function frameOf(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A block of fields, each as it is (RFC 7541 §6.2.2): names and values of less than 127 bytes. */
export function fieldsOf(fields: Readonly<Record<string, string>>): Buffer {
  const literal = (text: string) => [Buffer.from([text.length]), Buffer.from(text)];
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [
      Buffer.from([0]),
      ...literal(name),
      ...literal(value),
    ]),
  );
}

/** Waits for a frame of this type, and gives its stream and what is in it. What came before it is passed over. */
export async function frameFrom(raw: TLSSocket, type: number) {
  return readUntil(raw, (bytes) => {
    for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
      const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end <= bytes.length && bytes.readUInt8(at + 3) === type)
        return { streamId: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + HEAD_BYTES, end) };
      at = end;
    }
    return undefined;
  });
}

/** Waits until `find` gives something for what comes from now on. */
export async function readUntil<Found>(
  raw: TLSSocket,
  find: (bytes: Buffer) => Found | undefined,
): Promise<Found> {
  let bytes = Buffer.alloc(0);
  const chunks: AsyncIterable<Buffer[]> = on(raw, 'data', {
    close: ['close'],
    signal: AbortSignal.timeout(WAIT_MS),
  });
  for await (const came of chunks) {
    bytes = Buffer.concat([bytes, ...came]);
    const found = find(bytes);
    if (found !== undefined) return found;
  }
  throw new Error(`the connection was closed after ${bytes.length} bytes`);
}
