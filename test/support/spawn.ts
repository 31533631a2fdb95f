import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keepLog } from './logs.js';
import { noteSettings } from './secrets.js';

/** Of `t`, what the helpers need. */
export interface Teardown {
  teardown(work: () => unknown): void;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessResult extends Ended {
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  /** On top of this process's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What the process reads on stdin; nothing by default. */
  readonly input?: string | Uint8Array;
  /** The process is killed when it takes longer. */
  readonly timeoutMs?: number;
}

export interface ServerOptions extends Pick<ProcessOptions, 'env' | 'cwd'> {
  /** What comes before `args`: `serve --dev --port 0` unless said otherwise. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

export interface RunningServer {
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** What it has said so far. */
  stdout(): string;
  stderr(): string;
  /** Sends the signal, SIGTERM by default, and waits for the end. Twice is the same as once. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** The root of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const COMMAND = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const ADDRESS = /\bhttps?:\/\/(?:\[[^\]]+\]|[^\s:/"'[\]]+):(\d+)/;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const RUN_TIMEOUT_MS = 60_000;

/**
 * Starts the built command on a free port, and waits until it prints its address. What it says is kept, and it says
 * all it can unless the test sets its LOG_LEVEL. It ends with the test.
 */
export async function startServer(t: Teardown, options: ServerOptions = {}): Promise<RunningServer> {
  const { command = ['serve', '--dev', '--port', '0'], args = [] } = options;
  const env = {
    EARSHOT_DATA: dataFolder(t),
    ...process.env,
    ...options.env,
    LOG_LEVEL: options.env?.['LOG_LEVEL'] ?? 'trace',
  };
  noteSettings(env);
  const child = spawn(process.execPath, [COMMAND, ...command, ...args], {
    cwd: options.cwd ?? ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  t.teardown(() => endProcess(child, ended));
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => keepLog(String(chunk)));
  const [url, port] = await addressOf(child, stdout, stderr, ended);
  return {
    url,
    port: Number(port),
    child,
    stdout,
    stderr,
    stop(signal = 'SIGTERM') {
      if (isRunning(child)) child.kill(signal);
      return ended;
    },
  };
}

/** A path for a data folder, which is taken away with the test. */
export function dataFolder(t: Teardown): string {
  const above = mkdtempSync(join(tmpdir(), 'earshot-data-'));
  t.teardown(() => rmSync(above, { recursive: true, force: true, maxRetries: 3 }));
  return join(above, 'data');
}

/** Runs a program to its end. It is killed when it takes too long: `signal` says so. */
export async function runProcess(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const child = spawn(file, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
  });
  // Not the timeout of spawn: it keeps us waiting for a program that could not be started.
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? RUN_TIMEOUT_MS);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin.on('error', () => {}); // it may end before it has read all: its code will tell
  child.stdin.end(options.input ?? '');
  try {
    const ended = await endOf(child);
    return { ...ended, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
  }
}

/** A port of this host's loopback that nothing listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

/** When the process has ended and all it said has been read. Rejects where it could not be started. */
function endOf(child: ChildProcess): Promise<Ended> {
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  ended.catch(() => {}); // whoever waits for it is told
  return ended;
}

async function endProcess(child: ChildProcess, ended: Promise<Ended>): Promise<void> {
  if (isRunning(child)) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended.catch(() => {}).finally(() => clearTimeout(timer));
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

type Said = () => string;

/** The first address on stdout and its port, as soon as its line is whole. */
async function addressOf(child: ChildProcess, stdout: Said, stderr: Said, ended: Promise<Ended>) {
  const quit = new AbortController();
  const printed = new Promise<readonly [string, string]>((resolve) => {
    child.stdout?.on('data', () => {
      const [url, port] = ADDRESS.exec(wholeLines(stdout())) ?? [];
      if (url !== undefined && port !== undefined) resolve([url, port]);
    });
  });
  const failed = ended.then(({ code, signal }) => {
    throw new Error(`the server ended with ${signal ?? code} before it was up:\n${stdout()}${stderr()}`);
  });
  failed.catch(() => {}); // it ends some time: after it was up, that is no failure
  const late = expiry(START_TIMEOUT_MS, quit.signal, () => `no address after 30 s:\n${stdout()}${stderr()}`);
  try {
    return await Promise.race([printed, failed, late]);
  } finally {
    quit.abort();
  }
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

function expiry(afterMs: number, signal: AbortSignal, message: () => string): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(message())), afterMs);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
