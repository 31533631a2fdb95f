import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { checkCommand } from './check.js';
import { publishCommand } from './client/publish.js';
import { subscribeCommand } from './client/subscribe.js';
import { configCommand } from './config.js';
import { backupCommand } from './data/backup.js';
import { doctorCommand } from './doctor.js';
import { explainCommand } from './explain.js';
import { failure } from './failure.js';
import type { Io } from './io.js';
import { ioOfProcess, say } from './io.js';
import { serveCommand } from './serve.js';
import { tokenCommand } from './token.js';

/** Every command there is, as the help lists them; the first is the one where none is named. */
const COMMANDS: readonly ((io: Io) => Command)[] = [
  serveCommand,
  configCommand,
  explainCommand,
  tokenCommand,
  publishCommand,
  subscribeCommand,
  doctorCommand,
  checkCommand,
  backupCommand,
];

const HELP = `
Exit codes: 0 done; 1 what could not be had (a port, a server, a token that is refused); 2 what was set or typed wrong.

Example:
  $ earshot serve --dev`;

/** Runs the command that the arguments name, to its end, and gives the exit code. What it can't do is one line on stderr. */
export async function main(args: readonly string[], io: Io = ioOfProcess()): Promise<number> {
  const program = programOf(io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    const { line, exitCode } = failure(error);
    if (line !== '') say(io, line);
    if (line !== '' && program.opts()['verbose'] === true) io.stderr(stackOf(error));
    return exitCode;
  }
}

function programOf(io: Io): Command {
  const program = new Command('earshot')
    .description('Realtime channels on one port: WebSocket, with history, presence and resume.')
    .version(versionOf())
    .option('--verbose', 'says of a failure where it happened')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
    .addHelpText('after', HELP)
    .exitOverride();
  for (const [at, make] of COMMANDS.entries()) {
    const command = make(io).copyInheritedSettings(program);
    if (at === 0)
      program.addCommand(command.allowExcessArguments(), { isDefault: true }); // it tells them itself
    else program.addCommand(command);
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
