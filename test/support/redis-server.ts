import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { TestCertificate } from './certificates.js';
import type { Child } from './child.js';
import { startChild } from './child.js';
import { noteSettings } from './secrets.js';
import type { Teardown } from './spawn.js';
import { tool } from './tools.js';

export interface RedisOptions {
  /** Lines of its configuration, after the usual ones: `appendonly yes`, `user ann on >secret ~* +@all`. */
  readonly config?: readonly string[];
  /** Of the user `default`, who has none otherwise. It is in the address, and `command` uses it. */
  readonly password?: string;
  /** With a certificate it speaks TLS alone. */
  readonly tls?: TestCertificate;
}

/** A real Redis, or a Valkey, of its own: on the loopback, with a folder that ends with the test. */
export interface RedisServer {
  /** `redis://127.0.0.1:12345`, or `rediss:` */
  readonly url: string;
  readonly port: number;
  /** Of the process that was started last. */
  readonly pid: number;
  /** The same address, for another user. */
  urlAs(user: string, password: string): string;
  /** SIGTERM: it ends in order. */
  stop(): Promise<void>;
  /** SIGKILL. What was not on the disk is lost. */
  kill(): Promise<void>;
  /** Again on the same port, with what is in its folder. Resolves when it has read that and takes connections. */
  start(): Promise<void>;
  /** Again on the same port, with nothing. */
  startEmpty(): Promise<void>;
  /** SIGSTOP: the kernel still accepts connections, and nobody answers. */
  pause(): void;
  resume(): void;
  /** One command over a connection of its own, and the reply. Rejects with what Redis says, or where it can't be reached. */
  command(name: string, ...args: ReadonlyArray<string | number>): Promise<unknown>;
  /** Waits until its log, from the last match on, has this. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

/** What the configuration of one server may need to know. */
interface Place {
  readonly port: number;
  /** Of the same kind, for what only members of a cluster say to each other. */
  readonly busPort: number;
  readonly folder: string;
}

/** What is said when it takes connections, by a server and by a sentinel. */
const IS_UP = /Ready to accept connections|Sentinel ID is/;
const IS_TAKEN = /Address already in use/;
const ATTEMPTS = 20;
const ANSWERS_WITHIN_MS = 5000;

/** Starts one. Where a port that is drawn is taken, others are drawn. */
export async function launch(
  t: Teardown,
  options: RedisOptions,
  configure: (place: Place) => readonly string[],
  args: readonly string[] = [],
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-redis-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  noteSettings({ password: options.password });
  for (let attempt = 1; ; attempt++) {
    const place = { folder, port: drawPort(), busPort: drawPort() };
    const server = new Server(place, options, args);
    server.configure(configure(place));
    t.teardown(() => server.stop());
    try {
      await server.start();
      return server;
    } catch (error) {
      if (attempt === ATTEMPTS || !IS_TAKEN.test(String(error))) throw error;
    }
  }
}

/**
 * Redis can't take port 0. These are below those that the kernel gives to whoever asks for any: while the server is
 * down, its port is nobody else's, and no connection to it comes from it.
 */
function drawPort(): number {
  return randomInt(10_000, 32_000);
}

export class Server implements RedisServer {
  readonly port: number;
  readonly busPort: number;
  readonly #folder: string;
  readonly #options: RedisOptions;
  readonly #args: readonly string[];
  #child: Child | undefined;
  #isPaused = false;

  constructor({ port, busPort, folder }: Place, options: RedisOptions, args: readonly string[]) {
    this.port = port;
    this.busPort = busPort;
    this.#folder = folder;
    this.#options = options;
    this.#args = args;
  }

  get url(): string {
    return this.urlAs('', this.#options.password ?? '');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  urlAs(user: string, password: string): string {
    const scheme = this.#options.tls === undefined ? 'redis' : 'rediss';
    return `${scheme}://${authority(user, password)}127.0.0.1:${this.port}`;
  }

  /** Once: it is a server's own to write it anew, as a sentinel has it do. */
  configure(more: readonly string[]): void {
    const { config = [], password, tls } = this.#options;
    const lines = [
      'bind 127.0.0.1',
      ...(tls === undefined ? [`port ${this.port}`] : tlsLines(this.port, tls)),
      'save ""',
      `dir ${this.#data}`,
      ...(password === undefined ? [] : [`requirepass ${JSON.stringify(password)}`]),
      ...more,
      ...config,
    ];
    mkdirSync(this.#data, { recursive: true });
    writeFileSync(this.#file, `${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    const noTeardown = { teardown: () => {} }; // whoever has launched this ends what it runs just then
    this.#child = await startChild(noTeardown, tool('redis'), [this.#file, ...this.#args]);
    await this.#child.says(IS_UP);
  }

  async startEmpty(): Promise<void> {
    rmSync(this.#data, { recursive: true });
    mkdirSync(this.#data);
    await this.start();
  }

  async stop(): Promise<void> {
    if (this.#isPaused) this.resume(); // or it would not hear of it
    await this.#child?.stop();
  }

  async kill(): Promise<void> {
    this.#isPaused = false;
    await this.#child?.stop('SIGKILL');
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
    this.#isPaused = true;
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
    this.#isPaused = false;
  }

  async command(name: string, ...args: ReadonlyArray<string | number>): Promise<unknown> {
    const { tls } = this.#options;
    const redis = new Redis(this.url, {
      lazyConnect: true,
      enableReadyCheck: false, // it asks for what may be forbidden or renamed
      retryStrategy: () => null,
      connectTimeout: ANSWERS_WITHIN_MS,
      commandTimeout: ANSWERS_WITHIN_MS,
      ...(tls && { tls: { ca: tls.cert } }),
    });
    let failed: unknown;
    redis.on('error', (error) => {
      failed = error; // it says more than the refusal of what then waits
    });
    try {
      await redis.connect();
      return await redis.call(name, [...args]);
    } catch (error) {
      throw failed ?? error;
    } finally {
      redis.disconnect();
    }
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    if (this.#child === undefined) throw new Error('it was not started');
    return this.#child.says(pattern);
  }

  get #file(): string {
    return join(this.#folder, 'redis.conf');
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }
}

export function authority(user: string, password: string): string {
  return user === '' && password === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
}

function tlsLines(port: number, { certFile, keyFile }: TestCertificate): readonly string[] {
  const files = [`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`];
  return ['port 0', `tls-port ${port}`, ...files, 'tls-auth-clients no'];
}
