import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServerOptions, WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { Encoding } from '../../core/carrier.js';
import type { EarshotNode } from '../../core/node.js';
import type { Identity } from '../../core/policy/policy.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import type { Accelerator } from './accelerator.js';
import { compressedEncoding, jsonEncoding, plainEncoding } from './encodings.js';
import type { WebSocketTelemetry } from './serve.js';
import { serveWebSocket } from './serve.js';

export interface WebSocketServerOptions {
  readonly node: EarshotNode;
  readonly telemetry: WebSocketTelemetry;
  /** The channel of those that speak no envelopes; undefined where they are refused. */
  readonly plainChannel: string | undefined;
  readonly maxFrameBytes: number;
  readonly maxFragments: number;
  readonly closeTimeoutMs: number;
  /** undefined: permessage-deflate is declined. */
  readonly perMessageDeflate: { readonly threshold: number; readonly level: number } | undefined;
  /** Channels whose messages are compressed where that was agreed on. */
  readonly compresses: (channel: string) => boolean;
  /** undefined: every socket is written to by itself. */
  readonly accelerator: Accelerator | undefined;
  /** Asked before the upgrade is accepted: calls back, or answers the socket itself. Never throws. */
  readonly verifyClient: (request: IncomingMessage, accept: () => void) => void;
  /** Who was let in by `verifyClient`, and as whom it is served. */
  readonly admitted: (request: IncomingMessage) => Admitted;
  /** The subprotocol that is answered, of those offered. Never throws. */
  readonly selectProtocol: (request: IncomingMessage) => string | false;
  /** A request that is no valid handshake (RFC 6455 §4.2.1): to be answered, and its socket ended. */
  readonly onBadHandshake: (socket: Duplex, message: string) => void;
}

/** Who stands behind an upgraded request. */
export interface Admitted {
  readonly identity: Identity;
  readonly address: string;
}

/** A `noServer` WebSocketServer: handshakes and frames are ws's, who gets in and what is said is ours. */
export class WebSockets {
  readonly #options: WebSocketServerOptions;
  readonly #server: WebSocketServer;
  readonly #compressed: Encoding<Uint8Array>;
  /** Every open one, those of ended sessions too. */
  readonly #open = new Set<WebSocket>();

  constructor(options: WebSocketServerOptions) {
    const { perMessageDeflate, compresses } = options;
    this.#options = options;
    this.#server = new WebSocketServer(toServerOptions(options));
    this.#server.on('wsClientError', (error, socket) => options.onBadHandshake(socket, error.message));
    this.#compressed = compressedEncoding({
      threshold: perMessageDeflate?.threshold ?? 0,
      level: perMessageDeflate?.level ?? 1,
      appliesTo: compresses,
    });
  }

  /** Completes an opening handshake, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, this.#accepted);
  }

  /** Resolves when those that are open now are closed. */
  async allClosed(): Promise<void> {
    const closed = (webSocket: WebSocket) => new Promise((resolve) => webSocket.once('close', resolve));
    await Promise.all([...this.#open].map(closed));
  }

  terminateAll(): void {
    for (const webSocket of this.#open) webSocket.terminate();
  }

  readonly #accepted = (webSocket: WebSocket, request: IncomingMessage): void => {
    const { node, telemetry, admitted, plainChannel, accelerator } = this.#options;
    this.#open.add(webSocket);
    webSocket.on('close', () => this.#open.delete(webSocket));
    const isPlain = webSocket.protocol !== SUBPROTOCOL;
    serveWebSocket(node, telemetry, {
      ...admitted(request),
      webSocket,
      socket: request.socket,
      encoding: isPlain ? plainEncoding : this.#encodingOf(webSocket),
      fan: accelerator?.fanFor(request.socket),
      plainChannel: isPlain ? plainChannel : undefined,
    });
  };

  #encodingOf(webSocket: WebSocket): Encoding<Uint8Array> {
    return webSocket.extensions === '' ? jsonEncoding : this.#compressed;
  }
}

function toServerOptions(options: WebSocketServerOptions): ServerOptions & { closeTimeout: number } {
  const { verifyClient, selectProtocol, perMessageDeflate } = options;
  return {
    noServer: true,
    clientTracking: false,
    maxPayload: options.maxFrameBytes,
    maxFragments: options.maxFragments,
    maxBufferedChunks: 1024,
    closeTimeout: options.closeTimeoutMs,
    // Frames are compressed once for all readers, which needs an empty window and the largest one.
    perMessageDeflate: perMessageDeflate !== undefined && {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 15,
      threshold: perMessageDeflate.threshold,
    },
    // Only ever told yes: its own refusal has a second Content-Type, and a reset can overtake it.
    verifyClient: (info, done) => verifyClient(info.req, () => done(true)),
    handleProtocols: (_offered, request) => selectProtocol(request),
  };
}
