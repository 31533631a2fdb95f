// The processes of a measurement: started, asked, and stopped together.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const stopping = new WeakSet();

/** What a server is told of its store: `memory`, or `lmdb` with a folder for the time of this process. */
export function storeArgs(store) {
  if (store === 'memory') return ['--store', 'memory'];
  if (store !== 'lmdb') throw new Error('--store: memory or lmdb');
  const folder = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return ['--store', 'lmdb', '--data', join(folder, 'data')];
}

/** A server with the meter in it. `script` prints `open http://127.0.0.1:<port>/`. */
export async function startServer(script, args, { env = {}, execArgv = [] } = {}) {
  const meter = new URL('meter.mjs', import.meta.url).href;
  const server = fork(pathOf(script), args, {
    execArgv: ['--expose-gc', '--import', meter, ...execArgv],
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const port = await whenOpen(server);
  server.once('exit', (code, signal) => failUnlessStopped(server, code ?? signal));
  return { server, port };
}

/** The load; it says when it is ready. */
export async function startLoad(script, args) {
  const load = fork(pathOf(script), args);
  load.once('exit', (code, signal) => failUnlessStopped(load, code ?? signal));
  await once(load, 'message');
  return load;
}

/** Each ends when nobody is left to be told. */
export async function stop(...children) {
  await Promise.all(
    children.map(async (child) => {
      stopping.add(child);
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    }),
  );
}

/** One question, one answer: the next is asked when the first is answered. */
export async function ask(child, question) {
  const answered = once(child, 'message');
  child.send(question);
  const [answer] = await answered;
  return answer;
}

/** The least of some looks at the memory of a server: what is freed is given back after a while. */
export async function settledRss(server) {
  let least = Number.POSITIVE_INFINITY;
  for (let times = 0; times < 4; times++) {
    await wait(150);
    least = Math.min(least, (await ask(server, 'rss')).rss);
  }
  return least;
}

export function quartiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => {
    const place = (sorted.length - 1) * share;
    const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return low + (high - low) * (place % 1);
  };
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** A table in Markdown: what each row is, and its cells. */
export function table(heads, rows) {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Gives up where the measurement takes longer: something hangs. */
export function deadline(ms) {
  return setTimeout(() => {
    console.error('this has taken too long: given up');
    process.exit(1);
  }, ms);
}

/** It has said why. The others end with this process. */
function failUnlessStopped(child, why) {
  if (stopping.has(child)) return;
  console.error(`a process of the measurement has ended: ${why}`);
  process.exit(1);
}

/** The port that it says. Its output is read to the end: who can't print is not well. */
export function whenOpen({ stdout }) {
  return new Promise((resolve, reject) => {
    let text = '';
    stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const [, port] = /open http:\/\/127\.0\.0\.1:(\d+)\//.exec(text) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
    stdout.once('end', () => reject(new Error(`the server did not start: ${text}`)));
  });
}

function pathOf(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
