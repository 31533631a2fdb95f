import { once } from 'node:events';
import type { ClientOptions } from 'ws';
import { WebSocket } from 'ws';
import type { CommandInput } from '../../src/protocol/commands.js';
import { command } from '../../src/protocol/commands.js';
import type { Envelope } from '../../src/protocol/pushes.js';
import { envelope } from '../../src/protocol/pushes.js';
import { SUBPROTOCOL } from '../../src/protocol/version.js';
import { noteRequest, noteToken } from './secrets.js';
import type { Teardown } from './spawn.js';

export interface PeerOptions {
  /** Ours unless said otherwise; none for a plain client. */
  readonly protocol?: string | readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** More for `ws`. */
  readonly client?: ClientOptions;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What came, and the text it came in. */
export type Received<Type extends Envelope['type']> = Extract<Envelope, { type: Type }> & {
  readonly text: string;
};

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
/** A command; it gets its id when it is sent. */
export type Call = WithoutId<CommandInput>;

const WAIT_MS = 10_000;

/**
 * A client that speaks envelopes. Everything that comes is checked with the schemas, and so is everything that it
 * sends, unless told raw.
 */
export class Peer {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #inbox = new Inbox<Received<Envelope['type']>>();
  #lastId = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = closeOf(socket);
    socket.on('message', (data, isBinary) => this.#take(String(data), isBinary));
    void this.closed.then(({ code, reason }) => this.#inbox.end(`closed with ${code} ${reason}`));
  }

  /** Sends a command as it is, id and all. */
  send(sent: CommandInput): void {
    command.parse(sent);
    if (sent.type === 'authenticate') noteToken(sent.token);
    this.socket.send(JSON.stringify(sent));
  }

  /** Sends a text that nobody has looked at. */
  sendRaw(text: string | Uint8Array): void {
    this.socket.send(text);
  }

  /** Sends a command under an id of its own, and waits for what answers it, be it an error. */
  async call(asked: Call): Promise<Received<Envelope['type']>> {
    const id = ++this.#lastId;
    this.send({ ...asked, id } as CommandInput); // Omit and spread lose which member of the union it is
    return this.#inbox.take(`the answer to ${asked.type}`, (came) => 'id' in came && came.id === id);
  }

  /** The first of this type that was not taken yet. Waits for it. */
  async next<Type extends Envelope['type']>(type: Type): Promise<Received<Type>> {
    const came = await this.#inbox.take(`a ${type}`, (each) => each.type === type);
    return came as Received<Type>; // it was asked for by its type
  }

  /** Whatever comes next. */
  any(): Promise<Received<Envelope['type']>> {
    return this.#inbox.take('anything', () => true);
  }

  /** What came before the answer to a ping that is sent now and was not taken: nothing more was on its way. */
  async fence(): Promise<Received<Envelope['type']>[]> {
    await this.call({ type: 'ping' });
    return this.#inbox.drain();
  }

  #take(text: string, isBinary: boolean): void {
    try {
      if (isBinary) throw new Error('a binary frame');
      const parsed = envelope.parse(JSON.parse(text));
      this.#inbox.put({ ...parsed, text });
    } catch (error) {
      this.#inbox.end(`what came is no envelope: ${text.slice(0, 200)}: ${String(error)}`);
    }
  }
}

/** A client that speaks plain text. */
export class PlainPeer {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #inbox = new Inbox<string>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = closeOf(socket);
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.#inbox.end('a binary frame');
      else this.#inbox.put(String(data));
    });
    void this.closed.then(({ code }) => this.#inbox.end(`closed with ${code}`));
  }

  send(text: string): void {
    this.socket.send(text);
  }

  next(): Promise<string> {
    return this.#inbox.take('a line', () => true);
  }
}

/** Connects, and has been welcomed. The connection ends with the test. */
export async function peer(t: Teardown, url: string, options: PeerOptions = {}): Promise<Peer> {
  const socket = connect(t, url, options.protocol ?? SUBPROTOCOL, options);
  const made = new Peer(socket);
  await once(socket, 'open');
  return made;
}

export async function plainPeer(t: Teardown, url: string, options: PeerOptions = {}): Promise<PlainPeer> {
  const socket = connect(t, url, options.protocol ?? [], options);
  const made = new PlainPeer(socket);
  await once(socket, 'open');
  return made;
}

function connect(
  t: Teardown,
  url: string,
  protocol: string | readonly string[],
  { headers = {}, client }: PeerOptions,
): WebSocket {
  noteRequest(headers, [protocol].flat(), url);
  const socket = new WebSocket(url, [protocol].flat(), {
    perMessageDeflate: false,
    ...client,
    headers: { ...headers },
  });
  socket.on('error', () => {}); // told by `open` that does not come, or by `closed`
  t.teardown(() => socket.terminate());
  return socket;
}

function closeOf(socket: WebSocket): Promise<Closed> {
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
}

/** What came and was not taken, and who waits for what. */
class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #waiting = new Set<() => void>();
  #ended: string | undefined;

  put(item: Item): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  drain(): Item[] {
    return this.#items.splice(0);
  }

  take(what: string, fits: (item: Item) => boolean): Promise<Item> {
    return new Promise((resolve, reject) => {
      const settle = (work: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        work();
      };
      const giveUp = (why: string) =>
        settle(() => reject(new Error(`${what} did not come: ${why}; untaken: ${this.#describe()}`)));
      const look = () => {
        const at = this.#items.findIndex(fits);
        const [item] = at === -1 ? [] : this.#items.splice(at, 1);
        if (item !== undefined) settle(() => resolve(item));
        else if (this.#ended !== undefined) giveUp(this.#ended);
      };
      const timer = setTimeout(() => giveUp(`in ${WAIT_MS} ms`), WAIT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  #describe(): string {
    return JSON.stringify(this.#items).slice(0, 500);
  }
}
