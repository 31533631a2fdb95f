import type { Advice } from '../protocol/codes.js';
import type { Direct, Welcome } from '../protocol/pushes.js';
import type { BackoffBounds } from './backoff.js';
import type { FetchLike, SocketConstructor } from './socket.js';

/** Where time and chance come from; a test brings its own. */
export interface Clock {
  /** Ms; only differences count. */
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => unknown;
  readonly clearTimer: (timer: unknown) => void;
  /** In [0, 1). */
  readonly random: () => number;
}

/** How to come by a token: the token itself, or a function that gets a fresh one each time it's called. */
export type TokenSource = string | (() => string | Promise<string>);

/** Everything that `connect` takes; nothing is required. */
export interface ConnectOptions extends Partial<Clock> {
  /**
   * Proves who the user is. A function is called before each attempt, unless the last token reached its
   * welcome and wasn't refused since; it is called once, at once, when the server asks for a fresh one.
   */
  readonly token?: TokenSource | undefined;
  /**
   * How long a command may wait for a connection and its answer together, a publish while the line is cut
   * too; `Infinity` waits for as long as it takes. Default 10,000.
   */
  readonly commandTimeoutMs?: number;
  /** How long the token and the welcome may take together. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** The shortest wait before another attempt. Default 500. */
  readonly minBackoffMs?: number;
  /** The longest wait before another attempt, unless the server asks for a longer one. Default 20,000. */
  readonly maxBackoffMs?: number;
  /**
   * A connection on which nothing came for so long is cut. 10 s before that (or at half of it, where that is
   * later) the client asks for a sign of life. Default: the server's `pingIntervalMs` + 10,000.
   */
  readonly idleTimeoutMs?: number;
  /** Where to ask why an upgrade was refused. Default: the address with its last segment become `v1/session`. */
  readonly sessionUrl?: string;
  /** Default: the browser's, or that of `ws` in Node. */
  readonly WebSocket?: SocketConstructor;
  readonly fetch?: FetchLike;
}

/** The options with every default filled in. */
export interface Settings extends Clock, BackoffBounds {
  readonly url: string;
  readonly sessionUrl: string;
  readonly token: TokenSource | undefined;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number | undefined;
  readonly WebSocket: SocketConstructor;
  readonly fetch: FetchLike;
}

/** A timer that is set for longer than this fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Beside the WebSocket; empty where its address is none, of which the socket will complain. */
function sessionUrlOf(url: string): string {
  const beside = url.replace(/^ws/, 'http');
  return URL.canParse(beside) ? new URL('v1/session', beside).href : '';
}

export function settingsOf(url: string, options: ConnectOptions, WebSocket: SocketConstructor): Settings {
  return {
    url,
    sessionUrl: sessionUrlOf(url),
    token: undefined,
    commandTimeoutMs: 10_000,
    connectTimeoutMs: 10_000,
    idleTimeoutMs: undefined,
    minBackoffMs: 500,
    maxBackoffMs: 20_000,
    WebSocket,
    fetch: (address, init) => fetch(address, init),
    now: () => Date.now(),
    setTimer: (run, ms) => setTimeout(run, Math.min(ms, MAX_TIMER_MS)),
    // what comes back is what setTimer gave: a number in a browser, an object in Node
    clearTimer: (timer) => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
    random: () => Math.random(),
    ...options,
  };
}

/** What every call takes. */
export interface CallOptions {
  /** Gives the call up: its promise rejects with `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up after so long, with `timeout`. Default: `commandTimeoutMs` for commands, none for `ready`. */
  readonly timeoutMs?: number | undefined;
}

export interface SubscribeOptions {
  /** Where to begin: an offset, `-1` for what is kept, `now` (the default) for what comes. */
  readonly offset?: string | undefined;
  /** Whether to be told who else is there. Default false. */
  readonly presence?: boolean | undefined;
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** How many messages an iterator holds before it throws `overflow`. Default 1,024. */
  readonly bufferMessages?: number | undefined;
}

export interface PublishOptions extends CallOptions {
  /** Number the message, so that it's stored once however often it is sent. Default true. */
  readonly once?: boolean | undefined;
}

export interface HistoryOptions extends CallOptions {
  /** Default `-1`, the beginning of what is kept. */
  readonly offset?: string | undefined;
  /** 1 to 1,000. Default 100. */
  readonly limit?: number | undefined;
}

/** A message of a channel. */
export interface Message<T = unknown> {
  readonly channel: string;
  /** The position after this message: what to resume with. */
  readonly offset: string;
  /** The name of the publisher. */
  readonly from: string;
  /** When it was stored, in ms since 1970. */
  readonly at: number;
  readonly data: T;
  /** Notes of the server beside the data, where there are any. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** Where the channel holds bytes: `data` is a string of base64. */
  readonly encoding?: 'base64';
}

/** What the server said to this session alone. It is told once, or where the connection is cut not at all. */
export type DirectMessage = Omit<Direct, 'type'>;

export interface PublishResult {
  /** The position after the message. */
  readonly offset: string;
  /** True where an earlier try had stored it already. */
  readonly duplicate: boolean;
}

export interface HistoryPage<T = unknown> {
  readonly messages: readonly Omit<Message<T>, 'channel'>[];
  /** The next to ask for. */
  readonly offset: string;
  readonly upToDate: boolean;
}

/** Who the server takes this client to be, and its limits; from the last welcome. */
export type Session = Pick<Welcome, 'session' | 'name' | 'user' | 'limits' | 'pingIntervalMs'>;

/** Why the state changed, where there's a why. */
export interface StateInfo {
  /** A stable name: of an error, or of a close code (`no_pong`, `drain`, …); `disconnected` for a bare cut. */
  readonly code?: string;
  readonly reason?: string;
  readonly advice?: Advice;
  /** The code of the WebSocket's close, where there was one. */
  readonly closeCode?: number;
  /** Until the next attempt; absent while it waits for `reconnect()`. */
  readonly retryInMs?: number;
}
