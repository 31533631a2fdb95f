import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';

export interface DialOptions {
  readonly subprotocol: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For the handshake, or for the answer that comes instead. */
  readonly timeoutMs: number;
  /** More in one frame, and the connection ends. */
  readonly maxFrameBytes: number;
  /** The text of every frame, from the first on. */
  readonly onText?: (text: string) => void;
}

/** What came instead of the upgrade; of a long body the beginning. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An open WebSocket, and what may be done to it. */
export interface Dialled {
  /** The text of the first frame; undefined where the connection ends before. */
  readonly first: Promise<string | undefined>;
  /** The code that it was closed with; 1006 where it was cut. */
  readonly closed: Promise<number>;
  send(text: string): void;
  close(): void;
  /** Ends the connection at once, wherever it is. */
  cut(): void;
  /** Nothing more is read from it, until `resume`. */
  pause(): void;
  resume(): void;
}

const MAX_BODY_BYTES = 65_536;
const CLOSE_MS = 1000;

/**
 * Opens a WebSocket once, from the outside, and tells what came of it: the open one, or the answer that was no
 * upgrade. Rejects with the error of the network, and where it takes too long. It answers pings.
 */
export async function dial(url: string, options: DialOptions): Promise<Dialled | HttpAnswer> {
  const { subprotocol, headers, timeoutMs, maxFrameBytes, onText } = options;
  const socket = new WebSocket(url, [subprotocol], {
    headers: { ...headers },
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
  });
  const dialled = watch(socket);
  if (onText !== undefined) socket.on('message', (data) => onText(String(data)));
  let timer: NodeJS.Timeout | undefined;
  const outcome = new Promise<Dialled | HttpAnswer>((resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer to the handshake within ${timeoutMs} ms`));
      socket.terminate();
    }, timeoutMs);
    socket.once('open', () => resolve(dialled));
    socket.on('error', reject); // of an open one `closed` tells
    socket.once('unexpected-response', (_request, response) => void answerOf(response).then(resolve));
  });
  return outcome.finally(() => {
    clearTimeout(timer);
    if (socket.readyState !== WebSocket.OPEN) socket.terminate();
  });
}

function watch(socket: WebSocket): Dialled {
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const first = new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));
  return {
    closed,
    first: Promise.race([first, closed.then(() => undefined)]),
    send: (text) => socket.send(text, () => {}), // where it can't be sent, `closed` tells
    cut: () => socket.terminate(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close() {
      socket.close();
      const timer = setTimeout(() => socket.terminate(), CLOSE_MS);
      void closed.then(() => clearTimeout(timer));
    },
  };
}

/** As much of it as came, in order or not, until its bound or the end. */
async function answerOf(response: IncomingMessage): Promise<HttpAnswer> {
  const { statusCode: status = 0, headers } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_BODY_BYTES) break;
    }
  } catch {
    // cut, or out of time: what came is told
  }
  return { status, headers, body: Buffer.concat(chunks).toString('utf8', 0, MAX_BODY_BYTES) };
}
