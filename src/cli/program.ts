import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { publishCommand } from './client/publish.js';
import { subscribeCommand } from './client/subscribe.js';
import { configCommand } from './config.js';
import { explainCommand } from './explain.js';
import { failure } from './failure.js';
import { endWithTheReader, say } from './output.js';
import { serveCommand } from './serve.js';
import { tokenCommand } from './token.js';

/** Every command there is, as the help lists them; the first is the one where none is named. */
const COMMANDS: readonly (() => Command)[] = [
  serveCommand,
  configCommand,
  explainCommand,
  tokenCommand,
  publishCommand,
  subscribeCommand,
];

const HELP = `
Exit codes: 0 done; 1 what could not be had (a port, a server, a token that is refused); 2 what was set or typed wrong.

Example:
  $ earshot serve --dev`;

/** Runs the command that the arguments name. What it can't do is one line on stderr, and the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  endWithTheReader();
  const program = programOf();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    const { line, exitCode } = failure(error);
    if (line !== '') say(line);
    if (line !== '' && program.opts()['verbose'] === true) process.stderr.write(stackOf(error));
    process.exitCode = exitCode;
  }
}

function programOf(): Command {
  const program = new Command('earshot')
    .description('Realtime channels on one port: WebSocket, with history, presence and resume.')
    .version(versionOf())
    .option('--verbose', 'says of a failure where it happened')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', HELP)
    .exitOverride();
  for (const [at, make] of COMMANDS.entries()) {
    program.addCommand(make().copyInheritedSettings(program), { isDefault: at === 0 });
  }
  return program;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const cause = error.cause === undefined ? '' : `caused by ${stackOf(error.cause)}`;
  return `${error.stack ?? ''}\n${cause}`;
}

function versionOf(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return version;
}
