// A Redis of its own: on a free port of the loopback, in a folder of its own, without a disk to write to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openSocket, until } from '../sockets.mjs';

const PROGRAM = process.env['EARSHOT_BENCH_REDIS'] ?? 'redis-server';
/** It says its process, and ends with whoever holds its stdin, however that ends. */
const GUARDED = '"$0" "$@" >/dev/null & echo $!; read -r _; kill $!; wait $!';
const STARTING_MS = 5000;

export async function startRedis(args = []) {
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'earshot-bench-redis-'))];
  const own = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const guard = spawn('sh', ['-c', GUARDED, PROGRAM, ...own, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = await once(guard.stdout.setEncoding('utf8'), 'data');
  await answering(port);
  return {
    pid: Number(said),
    port,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      const exited = once(guard, 'exit');
      guard.stdin.end();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One command, and the first line of its answer, or all of a longer one. */
export async function askRedis(port, ...words) {
  const socket = await openSocket(port);
  const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
  const came = until(socket, (text) => isWhole(text));
  socket.write(`*${words.length}\r\n${parts.join('')}`);
  const text = await came;
  socket.destroy();
  if (text.startsWith('-')) throw new Error(`Redis: ${text.trim()}`);
  return text.startsWith('$') ? text.slice(text.indexOf('\r\n') + 2, -2) : text.slice(1).trim();
}

function isWhole(text) {
  const end = text.indexOf('\r\n');
  if (end === -1) return false;
  return !text.startsWith('$') || Buffer.byteLength(text) >= end + 4 + Number(text.slice(1, end));
}

/** A moment later somebody else could have it: then it doesn't start, and this run ends. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when somebody listens there. */
export async function answering(port, program = PROGRAM) {
  for (const untilMs = performance.now() + STARTING_MS; performance.now() < untilMs; await wait(20))
    if (await isOpen(port)) return;
  throw new Error(`${program} did not start: is it installed?`);
}

function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
