import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Starts a program at the root of the project, without stdin. */
export function start(file, arguments_, options = {}) {
  return spawn(file, arguments_, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

/** The exit code of a program once its output has been read to the end; -1 where it did not end by itself. */
export function ended(child) {
  return new Promise((resolve) => {
    child.once('error', () => resolve(-1));
    child.once('close', (code) => resolve(code ?? -1));
  });
}

/** Runs a program to its end and keeps what it says, stdout and stderr as they come. */
export async function run(file, arguments_, options = {}) {
  const child = start(file, arguments_, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const code = await ended(child);
  return { code, output: Buffer.concat(chunks).toString() };
}

/** The script of an installed package's command. */
export function bin(packageName, command) {
  const manifest = join(ROOT, 'node_modules', packageName, 'package.json');
  return join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin[command]);
}
