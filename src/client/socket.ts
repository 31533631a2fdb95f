/** What of an event of a socket is looked at. */
export interface SocketEvent {
  /** Of a message: its text. Anything but a string is ignored. */
  readonly data?: unknown;
  /** Of a close: its code and reason. */
  readonly code?: number;
  readonly reason?: string;
}

/** The little of a WebSocket that the client needs: a browser's and that of `ws` both have it. */
export interface SocketLike {
  addEventListener(type: 'message', listener: (event: SocketEvent) => void): void;
  addEventListener(type: 'close', listener: (event: SocketEvent) => void): void;
  addEventListener(type: 'error', listener: (event: SocketEvent) => void): void;
  send(text: string): void;
  close(code?: number): void;
}

/** Makes a socket that begins to connect at once. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** The little of `fetch` that the client needs, to ask why an upgrade was refused. */
export type FetchLike = (
  url: string,
  init: {
    readonly headers: Record<string, string>;
    readonly signal: AbortSignal;
    readonly cache: 'no-store';
  },
) => Promise<{
  readonly ok: boolean;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}>;
