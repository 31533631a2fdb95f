import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import type { Environment } from '../environment.js';
import { FolderFault } from './fault.js';

const SUFFIX = '.sock';
const ANSWER_WITHIN_MS = 2000;

/**
 * Whoever has a data folder. It listens on a socket beside the data, which falls silent with its process, however that
 * ends; the name of the socket stands in the data, where it is changed by one process only.
 */
export class Owner {
  readonly #path: string;
  readonly #name: string;
  readonly #server: Server;

  private constructor(path: string, name: string, server: Server) {
    this.#path = path;
    this.#name = name;
    this.#server = server;
  }

  /** Begins to listen. */
  static async listen(path: string): Promise<Owner> {
    const name = `${randomUUID()}${SUFFIX}`;
    const elsewhere = process.platform === 'win32' ? `\\\\.\\pipe\\earshot-${name}` : join(tmpdir(), name);
    for (const each of process.platform === 'win32' ? [elsewhere] : [name, elsewhere]) {
      const server = await listenOn(addressOf(path, each)).catch(() => undefined);
      if (server !== undefined) return new Owner(path, each, server);
    }
    throw new FolderFault(
      path,
      'cannot be held: no socket can be made in it, nor in the folder for temporary files',
    );
  }

  /** Makes the folder its own. Throws `FolderFault` where another process has it. */
  async claim({ owners }: Environment): Promise<void> {
    for (;;) {
      const held = owners.get('owner');
      if (held !== undefined) await refuseIfHeld(this.#path, held);
      const isMine = owners.transactionSync(() => {
        if (owners.get('owner') !== held) return false;
        owners.put('owner', this.#name);
        return true;
      });
      if (isMine) break;
    }
    for (const name of await socketsIn(this.#path))
      if (name !== this.#name && (await pidAt(addressOf(this.#path, name))) === undefined)
        await rm(join(this.#path, name), { force: true });
  }

  /** Ends it; a socket that nobody listens on is of no harm. */
  async end(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Throws `FolderFault` where another process has the folder, as far as can be told without looking into the data. */
export async function refuseIfInUse(path: string): Promise<void> {
  for (const name of await socketsIn(path)) await refuseIfHeld(path, name);
}

async function refuseIfHeld(path: string, name: string): Promise<void> {
  const pid = await pidAt(addressOf(path, name));
  if (pid === undefined) return;
  const whom = pid === String(process.pid) ? 'this process' : `another process (pid ${pid})`;
  throw new FolderFault(path, `is in use by ${whom}: a folder has one server at a time`);
}

async function socketsIn(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.endsWith(SUFFIX));
}

/** The shorter way there: the names of sockets have room for about a hundred characters. */
function addressOf(path: string, name: string): string {
  if (isAbsolute(name) || name.startsWith('\\\\')) return name;
  const absolute = join(path, name);
  const fromHere = relative(process.cwd(), absolute);
  return fromHere.length < absolute.length ? fromHere : absolute;
}

async function listenOn(address: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(String(process.pid));
  });
  server.listen(address);
  await once(server, 'listening');
  server.unref();
  return server;
}

/** Of the process that listens there; `unknown` where it is too busy to say; undefined where there is none. */
async function pidAt(address: string): Promise<string | undefined> {
  const socket = connect(address);
  try {
    await once(socket, 'connect');
  } catch {
    return undefined; // nobody is there, which is what was asked
  }
  return answerOf(socket).finally(() => socket.destroy());
}

async function answerOf(socket: Socket): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  try {
    const [data] = await once(socket, 'data', { signal });
    return String(data);
  } catch {
    return 'unknown';
  }
}
