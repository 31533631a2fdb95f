import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { RunningApp } from '../support/app.js';
import { appOn } from '../support/app.js';
import type { Child } from '../support/child.js';
import { startChild } from '../support/child.js';
import { blocksOf } from '../support/documents.js';
import { ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';
import { Placeholders } from '../support/transcript.js';

/** The address that the README speaks of. */
const ADDRESS = '127.0.0.1:8080';
/** curl without the progress that it shows where its output is no terminal. */
const QUIET = 'curl() { command curl --silent --show-error "$@"; }';
const ENV = { PATH: `${dirname(tool('curl'))}${delimiter}${process.env['PATH']}` };

/** What is typed at one prompt, and what comes then. */
interface Step {
  readonly command: string;
  readonly parts: readonly Part[];
}

/** Lines of output, or what is typed in another terminal meanwhile. */
interface Part {
  readonly kind: 'output' | 'elsewhere';
  readonly text: string;
}

const sessions = blocksOf(readFileSync(join(ROOT, 'README.md'), 'utf8')).filter(
  ({ language, info }) => language === 'sh' && info === 'session',
);

function stepsOf(text: string): readonly Step[] {
  const steps = text.split(/^\$ /m).slice(1);
  return steps.map((step) => {
    const [command = '', ...lines] = step.trimEnd().split('\n');
    const pieces = lines.join('\n').split(/^(# .+\n)/m);
    return { command, parts: pieces.filter((part) => part.trim() !== '').map(partOf) };
  });
}

function partOf(text: string): Part {
  if (text.startsWith('# ')) return { kind: 'elsewhere', text: text.slice(2).trim() };
  return { kind: 'output', text: text.trim() };
}

/** Where the commands of the README are typed, against one server. */
class Terminal {
  readonly #on: RunningApp;
  readonly #words = new Placeholders();
  readonly #set: string[] = [QUIET];

  constructor(on: RunningApp) {
    this.#on = on;
  }

  async type(t: Test, { command, parts }: Step): Promise<void> {
    const child = await startChild(t, 'sh', ['-c', this.#script(`exec 2>/dev/null; ${command}`)], {
      env: ENV,
    });
    const output = parts.filter(({ kind }) => kind === 'output').map(({ text }) => text);
    if (command.includes('live=sse')) return this.#goesOn(t, child, parts);
    for (const { text } of parts.filter(({ kind }) => kind === 'elsewhere')) await this.#elsewhere(text);
    t.strictSame(await child.ended, { code: 0, signal: null });
    const came = child.said().trim();
    t.equal(came, this.#words.learn(output.join('\n'), came));
    if (/^\w+=/.test(command)) this.#set.push(command);
  }

  /** Has no end: each part is waited for. */
  async #goesOn(t: Test, child: Child, parts: readonly Part[]): Promise<void> {
    for (const { kind, text } of parts) {
      if (kind === 'elsewhere') {
        await this.#elsewhere(text);
        continue;
      }
      const count = text.split('\n').length;
      const [, came = ''] = await child.says(new RegExp(`^\\n*((?:.*\\n){${count}})`));
      t.equal(came.trim(), this.#words.learn(text, came.trim()));
    }
    await child.stop();
  }

  /** In another terminal, once the first one waits. */
  async #elsewhere(command: string): Promise<void> {
    await this.#on.metricReaches(1, 'earshot_sessions');
    await runProcess('sh', ['-c', this.#script(command)], { env: ENV });
  }

  /** The command, after all that was set before. */
  #script(command: string): string {
    const lines = [...this.#set, this.#words.fill(command)].join('\n');
    return lines.replaceAll(ADDRESS, new URL(this.#on.url).host);
  }
}

t.test('README.md / its sessions, one after the other → every answer is as it stands there', async (t) => {
  const terminal = new Terminal(await appOn(t));
  const steps = sessions.flatMap(({ text, line }) => stepsOf(text).map((step) => ({ line, step })));
  t.ok(steps.length >= 10, 'there are sessions');
  for (const { line, step } of steps) {
    await t.test(`line ${line}: ${step.command}`, (t) => terminal.type(t, step));
  }
});
