import { Command } from 'commander';
import { didYouMean } from '../server/options/suggest.js';
import { serve } from '../server/serve.js';
import type { Flags } from '../server/settings/settings.js';
import { settingsFrom } from '../server/settings/settings.js';
import { CommandError } from './failure.js';
import { settingFlags } from './flags.js';
import type { Io } from './io.js';

const HELP = `
Flags go over the environment, that over the file, that over the defaults. Secrets have no flag: they come from
EARSHOT_TOKEN_SECRET, EARSHOT_ADMIN_KEY, a file that EARSHOT_TOKEN_SECRET_FILE names, or the file of settings.

Example:
  $ earshot serve --dev --port 3000`;

export function serveCommand({ env, cwd, stdout }: Io): Command {
  return settingFlags(new Command('serve'))
    .description('runs the server until SIGTERM or SIGINT')
    .addHelpText('after', HELP)
    .action(async (flags: Flags, command: Command) => {
      checkCommand(command);
      await serve(await settingsFrom(flags, env, cwd), stdout);
    });
}

/** It is the command where none is named: a word that is none ends up here. */
function checkCommand({ args, parent }: Command): void {
  const [word] = args;
  if (word === undefined) return;
  const names = parent?.commands.map((command) => command.name()) ?? [];
  throw CommandError.wrong(`there is no command "${word}"${didYouMean(word, names)}`);
}
