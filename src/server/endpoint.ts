import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EarshotNode } from '../core/node.js';
import type { Journal, LogContext } from '../core/telemetry.js';
import { Refused } from '../protocol/refused.js';
import type { Accelerator } from '../transport/websocket/accelerator.js';
import type { Admitted } from '../transport/websocket/server.js';
import { WebSockets } from '../transport/websocket/server.js';
import type { Admission } from './admission/admission.js';
import { checkHandshake, offeredSubprotocols } from './admission/handshake.js';
import { compressionOf } from './compression.js';
import type { Problem } from './http/problem.js';
import { answerSocket, problem, problemOf } from './http/problem.js';
import type { ResolvedOptions } from './options/options.js';
import type { Metrics } from './report/metrics.js';

export interface EndpointParts {
  readonly options: ResolvedOptions;
  readonly accelerator: Accelerator | undefined;
  readonly node: EarshotNode;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly journal: Journal;
}

/** The WebSocket's way in: from the upgrade to the session. */
export class WebSocketEndpoint {
  readonly #parts: EndpointParts;
  readonly webSockets: WebSockets;
  /** Who was admitted, between the check and the upgrade. */
  readonly #admitted = new WeakMap<IncomingMessage, Admitted & { readonly protocol: string | false }>();

  constructor(parts: EndpointParts) {
    this.#parts = parts;
    const { limits, closeTimeoutMs, plainChannel } = parts.options;
    this.webSockets = new WebSockets({
      ...compressionOf(parts.options),
      accelerator: parts.accelerator,
      node: parts.node,
      telemetry: parts.metrics,
      plainChannel: plainChannel === false ? undefined : plainChannel,
      admitted: (request) => this.#admittedBy(request),
      maxFrameBytes: limits.maxFrameBytes,
      maxFragments: limits.maxFragments,
      closeTimeoutMs,
      verifyClient: (request, accept) => void this.#verify(request, accept),
      selectProtocol: (request) => this.#admittedBy(request).protocol,
      onBadHandshake: (socket, message) => this.#refuse(socket, new Refused('bad_handshake', message), {}),
    });
  }

  /** An upgrade of our path. Nothing it does reaches an uncaught exception. */
  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', ignore); // first of all: a reset may come at any time from here
    try {
      checkHandshake(request);
      this.webSockets.upgrade(request, socket, head);
    } catch (error) {
      this.#refuse(socket, error, { address: this.#parts.admission.addressOf(request) });
    }
  };

  /** Everything that may refuse. Never rejects. */
  async #verify(request: IncomingMessage, accept: () => void): Promise<void> {
    const { admission } = this.#parts;
    const address = admission.addressOf(request);
    try {
      const offered = offeredSubprotocols(request);
      admission.checkSubprotocols(offered);
      const identity = await admission.admit(request, offered);
      const protocol = await admission.selectSubprotocol(request, offered);
      this.#admitted.set(request, { identity, protocol, address });
      admission.checkStill(identity, address); // once more, with nothing between it and the session
      acceptAtOnce(request.socket, accept);
    } catch (error) {
      this.#refuse(request.socket, error, { address });
    }
  }

  #admittedBy(request: IncomingMessage) {
    const admitted = this.#admitted.get(request);
    if (admitted === undefined) throw new Error('an upgrade was accepted that nobody was admitted on');
    return admitted;
  }

  #refuse(socket: Duplex, error: unknown, context: LogContext): void {
    answerSocket(socket, this.#refusal(error, context));
  }

  #refusal(error: unknown, context: LogContext): Problem {
    const { journal, metrics } = this.#parts;
    if (error instanceof Refused) {
      metrics.refused(error.code);
      journal.refused(`connect: ${error.code}`, context);
      return problemOf(error, handshakeHeaders(error));
    }
    metrics.refused('internal');
    journal.error(error, context);
    return problem('internal', 'the checks failed');
  }
}

/** The answer to the handshake and the welcome leave in one write. */
function acceptAtOnce(socket: Duplex, accept: () => void): void {
  socket.cork();
  try {
    accept();
  } finally {
    socket.uncork();
  }
}

/** RFC 6455 §4.4: what would be taken instead. */
function handshakeHeaders({ code }: Refused): Record<string, string> {
  if (code === 'bad_handshake') return { 'sec-websocket-version': '13' };
  return code === 'method_not_allowed' ? { allow: 'GET' } : {};
}

function ignore(): void {}
