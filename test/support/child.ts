import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { keepLog } from './logs.js';
import type { Ended, Teardown } from './spawn.js';
import { ROOT } from './spawn.js';

export interface ChildOptions {
  readonly cwd?: string;
  /** On top of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** True for one of our servers: what it says is kept, as the log that it is. */
  readonly isServer?: boolean;
  /** Who it runs as; only root may say so. */
  readonly uid?: number;
  readonly gid?: number;
}

/** A program that goes on running, and what it has said so far on stdout and stderr. */
export interface Child {
  readonly pid: number;
  said(): string;
  /** Waits until what it said since the last match fits. Rejects when it ends or takes too long. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Writes to its stdin. */
  write(text: string): void;
  /** Ends its stdin. */
  finish(): void;
  /** Sends a signal to it and to whatever it has started, and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
  readonly ended: Promise<Ended>;
}

const SAYS_MS = 30_000;
const STOP_MS = 5000;

/** Starts a program in a process group of its own. The group ends with the test. */
export async function startChild(
  t: Teardown,
  file: string,
  args: readonly string[],
  { cwd = ROOT, env = {}, isServer = false, ...user }: ChildOptions = {},
): Promise<Child> {
  const all = { ...process.env, ...env };
  const child = spawn(file, args, { cwd, env: all, stdio: 'pipe', detached: true, ...user });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} was started without a pid`);
  const forget = endWithThisProcess(pid);
  void ended.then(forget);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    signalGroup(pid, signal);
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_MS);
    return ended.finally(() => clearTimeout(timer));
  };
  t.teardown(() => stop());
  child.stdin.on('error', () => {}); // it may end before it has read all: `ended` tells
  const output = new Output(child, ended);
  if (isServer) void ended.then(() => keepLog(output.text));
  return {
    pid,
    ended,
    stop,
    said: () => output.text,
    says: (pattern, timeoutMs) => output.fits(pattern, timeoutMs),
    write: (text) => child.stdin.write(text),
    finish: () => child.stdin.end(),
  };
}

/** Where this process is killed, no teardown runs: a shell that then reads the end of its stdin kills the group. */
function endWithThisProcess(pid: number): () => void {
  const script = `read -r _; kill -s KILL -- -${pid}`;
  const guard = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.on('error', () => {}); // without a shell it is as if there were none
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => guard.kill('SIGKILL');
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // nobody of it is left
  }
}

/** What a program says, as it comes. */
class Output {
  text = '';
  #taken = 0;
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();

  constructor({ stdout, stderr }: ChildProcess, ended: Promise<Ended>) {
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text += text;
        this.#wake();
      });
    }
    void ended.then(() => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  fits(pattern: RegExp, timeoutMs = SAYS_MS): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (work: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        work();
      };
      const giveUp = (why: string) =>
        settle(() => reject(new Error(`${pattern} was not said: ${why}; it said: ${this.text}`)));
      const look = () => {
        const found = pattern.exec(this.text.slice(this.#taken));
        if (found !== null) {
          this.#taken += found.index + found[0].length;
          settle(() => resolve(found));
        } else if (this.#hasEnded) giveUp('the program ended');
      };
      const timer = setTimeout(() => giveUp(`in ${timeoutMs} ms`), timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}
