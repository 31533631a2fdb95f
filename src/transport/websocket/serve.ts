import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Encoding, Fan } from '../../core/carrier.js';
import type { EarshotNode } from '../../core/node.js';
import type { Identity } from '../../core/policy/policy.js';
import { beginPlain, receivePlain } from '../../core/session/plain.js';
import { receiveEnvelope } from '../../core/session/receive.js';
import type { Session } from '../../core/session/session.js';
import { WebSocketConnection } from './connection.js';

/** What became of connections, for the metrics. */
export interface WebSocketTelemetry {
  /** A connection is closed; `code` is ours where this side closed it, else as ws reports it, 1006 for most faults. */
  webSocketClosed(code: number): void;
  /** What ws found wrong with a peer's frames: `WS_ERR_…`. */
  webSocketFailed(code: string): void;
}

/** An upgraded WebSocket and who was admitted on it. */
export interface Accepted {
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
  readonly encoding: Encoding<Uint8Array>;
  /** What the accelerator writes to it with; undefined without one, and where it doesn't take such a socket. */
  readonly fan: Fan<Uint8Array> | undefined;
  readonly identity: Identity;
  readonly address: string;
  /** The channel that its plain text goes to; undefined where it speaks envelopes. */
  readonly plainChannel: string | undefined;
}

/** How long a peer that broke the protocol may take to answer the close. */
const FAILED_CLOSE_MS = 500;

/** Begins a session on a WebSocket that has just been accepted. Listens before anything can come. */
export function serveWebSocket(
  node: EarshotNode,
  telemetry: WebSocketTelemetry,
  accepted: Accepted,
): Session {
  const { webSocket, socket, encoding, fan, identity, address, plainChannel } = accepted;
  const connection = new WebSocketConnection(webSocket, socket, encoding, node, fan);
  const session = node.begin(identity, connection, address);
  listen(session, webSocket, plainChannel);
  webSocket.on('close', (code) => {
    session.gone('closed');
    telemetry.webSocketClosed(connection.closedWith ?? code);
  });
  webSocket.on('error', (error) => {
    setTimeout(() => webSocket.terminate(), FAILED_CLOSE_MS).unref();
    if ('code' in error && typeof error.code === 'string') telemetry.webSocketFailed(error.code);
  });
  socket.on('drain', () => session.drained());
  if (plainChannel === undefined) session.welcome();
  else void beginPlain(node, session, plainChannel);
  return session;
}

function listen(session: Session, webSocket: WebSocket, plainChannel: string | undefined): void {
  webSocket.on('message', (data, isBinary) => {
    if (isBinary) session.end({ close: 'binaryFrame', code: 'bad_envelope', cause: 'closed' });
    else if (plainChannel === undefined) receiveEnvelope(session, textOf(data));
    else receivePlain(session, plainChannel, textOf(data));
  });
}

/** ws hands out one Buffer a message unless told otherwise. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : '';
}
