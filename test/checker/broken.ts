import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Start } from '../../src/protocol/offset.js';
import type { NewMessage } from '../../src/store/message.js';
import type { Appended, AppendOptions, Page, ReadBound } from '../../src/store/store.js';
import { Wrapped } from '../support/fake-stores.js';
import type { Teardown } from '../support/spawn.js';

const EVERY = 15;

/** Says of every few messages that it is stored, and doesn't. */
export class LosingStore extends Wrapped {
  #count = 0;
  #last: Appended | undefined;

  override async append(
    channel: string,
    messages: readonly NewMessage[],
    options?: AppendOptions,
  ): Promise<Appended> {
    const isLast = messages.some(({ data }) => String(data).includes('.fence.')); // without it, nobody comes to the end
    if (this.#last !== undefined && !isLast && ++this.#count % EVERY === 0)
      return { ...this.#last, offset: `${this.#last.offset}a`, duplicate: false };
    this.#last = await super.append(channel, messages, options);
    return this.#last;
  }
}

/** Takes no notice of who publishes, so that what is repeated is stored again. */
export class ForgetfulStore extends Wrapped {
  override append(
    channel: string,
    messages: readonly NewMessage[],
    options?: AppendOptions,
  ): Promise<Appended> {
    return super.append(channel, messages, { ...options, producer: undefined });
  }
}

/** Leaves out one message of a page, now and then, and says nothing of it. */
export class LeakyStore extends Wrapped {
  #count = 0;

  override async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    const page = await super.read(channel, start, bound);
    if (page.messages.length < 3 || ++this.#count % 3 !== 0) return page;
    return { ...page, messages: page.messages.toSpliced(1, 1) };
  }
}

/** Turns two messages of a page round, now and then. */
export class TwistedStore extends Wrapped {
  #count = 0;

  override async read(channel: string, start: Start, bound: ReadBound): Promise<Page> {
    const page = await super.read(channel, start, bound);
    if (page.messages.length < 3 || ++this.#count % 3 !== 0) return page;
    return { ...page, messages: page.messages.toSpliced(0, 2, ...page.messages.slice(0, 2).reverse()) };
  }
}

/**
 * A proxy that keeps the second event of the first responses of Server-Sent Events; else nobody might ever come to the
 * end. Gives its address.
 */
export async function swallowingProxy(t: Teardown, port: number): Promise<string> {
  let kept = 0;
  const sockets = new Set<Socket>();
  const server = createServer((from, to) => {
    const { method, url, headers } = from;
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      let count = 0;
      const isSwallowed = (chunk: Buffer) =>
        isEvents && chunk.includes('data:') && ++count === 2 && ++kept <= 6;
      const isEvents = answer.headers['content-type']?.startsWith('text/event-stream') === true;
      answer.on('data', (chunk: Buffer) => isSwallowed(chunk) || to.write(chunk));
      answer.on('end', () => to.end());
      answer.on('error', () => to.destroy());
    });
    onward.on('error', () => to.destroy());
    to.on('close', () => onward.destroy());
    from.pipe(onward);
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('upgrade', (from: IncomingMessage, socket: Socket) => join(from, socket, port));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server without a port');
  return `http://127.0.0.1:${address.port}`;
}

/** An upgrade passes as it came. */
function join({ url, rawHeaders }: IncomingMessage, socket: Socket, port: number): void {
  const onward = connect({ port, host: '127.0.0.1' });
  for (const side of [socket, onward]) side.on('error', () => {}); // the close that follows is what counts
  const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
  onward.write(`GET ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  socket.pipe(onward).pipe(socket);
  socket.on('close', () => onward.destroy());
  onward.on('close', () => socket.destroy());
}
