import { Readable } from 'node:stream';
import type { Test } from 'tap';
import { main } from '../../src/cli/program.js';
import type { Child } from './child.js';
import { startChild } from './child.js';
import type { ProcessResult } from './spawn.js';
import { ROOT, runProcess } from './spawn.js';

/** How the command is run: its arguments, the variables that it sees besides PATH and the like, what it reads. */
export interface Run {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly cwd?: string;
}

export const COMMAND = `${ROOT}dist/cli.js`;

/** Of the machine that the test runs on, nothing gets through. */
export const CLEAN: Readonly<Record<string, undefined>> = Object.fromEntries(
  [
    ...Object.keys(process.env).filter((name) => name.startsWith('EARSHOT_')),
    'HOST',
    'PORT',
    'LOG_LEVEL',
    'NODE_ENV',
  ].map((name) => [name, undefined]),
);

/** Runs a command to its end, in this process: a second for each would be too much. */
export async function earshot({ args = [], env = {}, input = '', cwd = ROOT }: Run): Promise<ProcessResult> {
  const said = { stdout: '', stderr: '' };
  const code = await main(args, {
    env,
    cwd,
    stdin: Readable.from([Buffer.from(input)], { objectMode: false }),
    stdout: (text) => {
      said.stdout += text;
    },
    stderr: (text) => {
      said.stderr += text;
    },
  });
  return { code, signal: null, ...said };
}

/** Runs the built command to its end. What it should refuse to run is ended by the time limit, and told by its signal. */
export function builtEarshot({ args = [], env = {}, input = '', cwd = ROOT }: Run): Promise<ProcessResult> {
  return runProcess(process.execPath, [COMMAND, ...args], { env: { ...CLEAN, ...env }, input, cwd });
}

/** Starts the built command and leaves it running. */
export function startEarshot(t: Test, ...args: readonly string[]): Promise<Child> {
  return startChild(t, process.execPath, [COMMAND, ...args]);
}

/** One line on stderr, nothing else, and the code. */
export function failsWith(
  t: Test,
  { code, signal, stdout, stderr }: ProcessResult,
  expected: number,
  line: RegExp,
): void {
  t.strictSame({ code, signal, stdout }, { code: expected, signal: null, stdout: '' });
  t.match(stderr, line);
  t.equal(stderr.split('\n').length, 2, 'one line');
  t.notMatch(stderr, /\n\s+at /, 'no stack');
}

/** Lines of JSON, as data. */
export function jsonLines(text: string): readonly unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
