#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { doctorCommand } from './cli/doctor.js';
import { failure, serve } from './server/serve.js';
import type { Flags } from './server/settings.js';
import { settingsFrom } from './server/settings.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('earshot')
  .description('Realtime channels on one port: WebSocket, with history, presence and resume.')
  .version(version)
  .configureHelp({ showGlobalOptions: true })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('serve', { isDefault: true })
  .description('runs the server until SIGTERM or SIGINT')
  .option('--dev', 'development mode: no token is asked for and every channel is open to anyone')
  .option('--allow-public-dev', 'development mode on a host that is not loopback, or in production')
  .option('--host <host>', 'the address to listen on (env HOST; default 127.0.0.1)')
  .option('--port <port>', 'the port; 0 takes a free one (env PORT; default 8080)')
  .option('--backlog <count>', 'connections that may wait to be accepted (default 511)')
  .option('--config <file>', 'a JSON file of options (env EARSHOT_CONFIG)')
  .option('--prefix <path>', 'what every path begins with')
  .option('--path <path>', 'the path of the WebSocket, below the prefix (default /ws)')
  .option(
    '--origin <origin...>',
    'the Origins that pages may connect from (env EARSHOT_ORIGINS, by commas; default same)',
  )
  .option('--anonymous', 'admit callers without a token')
  .option('--plain-channel <channel>', 'the channel of clients that speak no envelopes')
  .option('--log-level <level>', 'fatal, error, warn, info, debug, trace, silent (env LOG_LEVEL)')
  .addHelpText(
    'after',
    '\nThe secret of tokens comes from EARSHOT_TOKEN_SECRET or the file, never from a flag.',
  )
  .action((flags: Flags) => run(flags));

async function run(flags: Flags): Promise<void> {
  try {
    await serve(settingsFrom(flags, process.env), (text) => process.stdout.write(text));
  } catch (error) {
    const { line, exitCode } = failure(error);
    process.stderr.write(`earshot: ${line}\n`);
    process.exitCode = exitCode;
  }
}

program.addCommand(doctorCommand());

await program.parseAsync();
