import type { Command } from 'commander';
import { Option } from 'commander';
import { CommandError } from './failure.js';
import type { Io } from './io.js';
import { readStdin, readText } from './io.js';

/** The token that a command comes with. */
export interface BearerFlags {
  readonly token?: string;
  readonly tokenFile?: string;
}

/** What is said of tokens in the help of every command that connects. */
export const TOKEN_HELP = `
A token on the command line is visible to other users of this machine: rather use EARSHOT_TOKEN, --token-file, or --token - (stdin).`;

export function bearerFlags(command: Command): Command {
  return command
    .option('--token <token>', 'proves who you are (env EARSHOT_TOKEN); - reads it from stdin')
    .addOption(
      new Option('--token-file <file>', 'the file that the token is in (env EARSHOT_TOKEN_FILE)').conflicts(
        'token',
      ),
    );
}

/** The flags go over the environment. */
export async function bearerOf(io: Io, { token, tokenFile }: BearerFlags): Promise<string | undefined> {
  if (token !== undefined) return token === '-' ? (await readStdin(io)).trim() : token;
  if (tokenFile !== undefined) return readText(tokenFile);
  const [said = '', file = ''] = [io.env['EARSHOT_TOKEN'], io.env['EARSHOT_TOKEN_FILE']];
  if (said !== '' && file !== '') {
    throw CommandError.wrong('EARSHOT_TOKEN and EARSHOT_TOKEN_FILE are both set: which one holds?');
  }
  if (file !== '') return readText(file);
  return said === '' ? undefined : said;
}
