import { Client } from '../../src/client/client.js';
import type { ConnectOptions } from '../../src/client/options.js';
import { settingsOf } from '../../src/client/options.js';
import type { SocketEvent, SocketLike } from '../../src/client/socket.js';

/** A command as it was sent. */
export interface Sent {
  readonly type: string;
  readonly id: number;
  readonly channel?: string;
  readonly offset?: string;
  readonly data?: unknown;
  readonly token?: string;
  readonly producer?: { readonly id: string; readonly epoch: number; readonly seq: number };
}

/** Lets everything that is ready run: promises and what they lead to. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Time that stands still until it is told to pass. */
export class FakeClock {
  #now = 1_000_000;
  #timers = new Map<number, { at: number; run: () => void }>();
  #last = 0;

  readonly now = () => this.#now;
  readonly setTimer = (run: () => void, ms: number): unknown => {
    this.#timers.set(++this.#last, { at: this.#now + ms, run });
    return this.#last;
  };
  readonly clearTimer = (timer: unknown) => void this.#timers.delete(timer as number);

  get pending(): number {
    return this.#timers.size;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#nextBefore(end); next; next = this.#nextBefore(end)) {
      const [key, timer] = next;
      this.#timers.delete(key);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** As after a sleep of the machine: every timer that is due comes late. */
  async oversleep(ms: number): Promise<void> {
    this.#now += ms;
    await this.pass(0);
  }

  #nextBefore(end: number) {
    return [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
  }
}

/** One connection, seen from the server's side. */
export class FakeSocket implements SocketLike {
  readonly url: string;
  readonly protocols: string[];
  readonly sent: Sent[] = [];
  closedWith: number | undefined;
  /** Called with each command, as a server would be. */
  onCommand: ((command: Sent) => void) | undefined;
  readonly #listeners = new Map<string, ((event: SocketEvent) => void)[]>();

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    const command = JSON.parse(text) as Sent;
    this.sent.push(command);
    this.onCommand?.(command);
  }

  close(code?: number): void {
    this.closedWith ??= code;
  }

  /** The commands of one type. */
  of(type: string): Sent[] {
    return this.sent.filter((command) => command.type === type);
  }

  last(type: string): Sent {
    const command = this.of(type).at(-1);
    if (command === undefined) throw new Error(`no ${type} was sent`);
    return command;
  }

  push(envelope: object): void {
    this.text(JSON.stringify(envelope));
  }

  text(data: unknown): void {
    this.#emit('message', { data });
  }

  welcome(fields: object = {}): void {
    this.push({ ...WELCOME, ...fields });
  }

  subscribed(channel: string, offset: string, fields: object = {}): void {
    const command = this.of('subscribe').findLast((sent) => sent.channel === channel);
    this.push({ type: 'subscribed', id: command?.id, channel, offset, resume: 'none', ...fields });
  }

  message(channel: string, offset: string, data: unknown = offset): void {
    this.push({ type: 'message', channel, offset, from: 'ann', at: 1, data });
  }

  refuse(id: number, code: string, advice: string): void {
    this.push({ type: 'error', id, code, message: code, advice });
  }

  cut(code = 1006, reason = ''): void {
    this.#emit('error', {});
    this.#emit('close', { code, reason });
  }

  #emit(type: string, event: SocketEvent): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}

export const WELCOME = {
  type: 'welcome',
  protocol: 'earshot.v1.json',
  session: 's1',
  name: 'ann',
  user: null,
  pingIntervalMs: 25_000,
  limits: {
    maxFrameBytes: 65_536,
    maxDataDepth: 64,
    maxSubscriptions: 128,
    commandsPerSecond: 100,
    commandBurst: 200,
    historyPage: 1000,
  },
};

/** A client whose sockets, time and chance are in the hands of the test. Chance is 0 unless given. */
export function fakeClient<Channels extends object = Record<string, unknown>>(options: ConnectOptions = {}) {
  const sockets: FakeSocket[] = [];
  const clock = new FakeClock();
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const { now, setTimer, clearTimer } = clock;
  const injected = { now, setTimer, clearTimer, random: () => 0, fetch: unreachable, ...options };
  const client = new Client<Channels>(settingsOf('ws://host/app/ws', injected, Socket));
  const socket = (): FakeSocket => {
    const last = sockets.at(-1);
    if (last === undefined) throw new Error('no socket was made');
    return last;
  };
  const connect = async (fields?: object): Promise<FakeSocket> => {
    await settle();
    socket().welcome(fields);
    await settle();
    return socket();
  };
  /** Cuts the connection, waits and connects again. */
  const comeBack = async (): Promise<FakeSocket> => {
    socket().cut();
    client.wake();
    return connect();
  };
  return { client, clock, sockets, socket, connect, comeBack };
}

async function unreachable(): Promise<never> {
  throw new TypeError('fetch failed');
}
