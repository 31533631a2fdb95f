// The programs in C: compiled when they have changed, into a folder that git ignores, and spoken to by lines.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ask } from '../processes.mjs';

const SOURCES = new URL('../native/', import.meta.url);
const CACHE = new URL('../../artifacts/bench/', import.meta.url);
const COMPILER = process.env['CC'] ?? 'cc';
const SLOW = fileURLToPath(new URL('load.mjs', import.meta.url));
const PROGRAMS = { load: ['load.c', 'measure.c', 'take.c'], floor: ['floor.c'] };

/** The paths of the programs. Throws, with what the compiler says, where they can't be had. */
export function compile() {
  mkdirSync(CACHE, { recursive: true });
  const hash = createHash('sha256').update(COMPILER);
  for (const name of readdirSync(SOURCES).sort()) hash.update(readFileSync(new URL(name, SOURCES)));
  const version = hash.digest('hex').slice(0, 12);
  return Object.fromEntries(
    Object.entries(PROGRAMS).map(([name, files]) => [name, compiled(`${name}-${version}`, files)]),
  );
}

function compiled(name, files) {
  const path = fileURLToPath(new URL(name, CACHE));
  if (existsSync(path)) return path;
  const paths = files.map((file) => fileURLToPath(new URL(file, SOURCES)));
  const { status, error, stderr } = spawnSync(COMPILER, ['-O2', '-o', path, ...paths], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${COMPILER}: ${error?.message ?? stderr}`);
  return path;
}

/** A load of its own on one server, which waits for what it is told. */
export class Load {
  #child;
  #answers = [];
  #why = '';

  #server;
  #isNative;

  /**
   * Without a path to the program in C it is the one in JavaScript, and the server itself tells what it has used. With it the
   * CPU of these processes is measured; `eachNs` of an answer has them in this order.
   */
  constructor(path, server, pids = processesOf(server.pid)) {
    this.#server = server;
    this.#isNative = path !== undefined;
    const [command, args] = this.#isNative ? [path, []] : [process.execPath, [SLOW]];
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#why += text;
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) =>
      this.#answers.shift()?.resolve(JSON.parse(line)),
    );
    this.#child.once('exit', () => {
      for (const { reject } of this.#answers) reject(new Error(`the load has ended: ${this.#why.trim()}`));
      this.#answers = [];
    });
    this.#child.stdin.on('error', () => {}); // its exit tells why
    pin(this.#child.pid, 1);
    void this.#tell('server', ...pids);
  }

  /** One command and its answer. Bytes are given as such, the rest as text. */
  async tell(...words) {
    if (this.#isNative) return this.#tell(...words);
    const before = await ask(this.#server, 'cpu');
    const seen = await this.#tell(...words);
    const after = await ask(this.#server, 'cpu');
    return { cpuNs: (after.cpuUs - before.cpuUs) * 1000, serverWaitedNs: 0, waitedNs: 0, ...seen };
  }

  #tell(...words) {
    if (this.#child.exitCode !== null)
      return Promise.reject(new Error(`the load has ended: ${this.#why.trim()}`));
    const line = words.map((word) => (Buffer.isBuffer(word) ? word.toString('hex') : word)).join(' ');
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#child.stdin.write(`${line}\n`);
    });
  }

  /** Opens connections that go through these steps: pairs of what is sent and what ends the wait. */
  open(group, { kind, count, port, steps }) {
    const words = steps.flatMap(([send, until]) => [
      Buffer.from(send),
      until === '' ? '-' : Buffer.from(until),
    ]);
    return this.tell('open', group, kind, count, port, ...words);
  }

  stop() {
    this.#child.stdin.end();
  }
}

/** The process, and what it has started and starts later, on this core or these, where there is taskset. */
export function pin(pid, cores) {
  for (const each of processesOf(pid)) spawnSync('taskset', ['-acp', String(cores), String(each)]);
}

/** The process, and those that it has started, where that can be told. */
function processesOf(pid) {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(path) ? readFileSync(path, 'utf8').split(' ').filter(Boolean) : [];
  return [pid, ...children.map(Number)];
}
