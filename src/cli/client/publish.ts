import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { isChannel } from '../../protocol/channel.js';
import { TOKEN_HELP } from '../bearer.js';
import { durationMs } from '../duration.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { printJson } from '../io.js';
import type { ConnectionFlags } from './connection.js';
import { connectionFlags, open } from './connection.js';

interface PublishFlags extends ConnectionFlags {
  readonly text?: boolean;
  readonly timeout: number;
}

const HELP = `
Without data, every line of stdin is a message, published when the one before it is stored; the first that can't be ends it.
Prints a line of JSON for each: its offset, and whether an earlier try had stored it already.
${TOKEN_HELP}

Examples:
  $ earshot publish lobby '{"headline":"it works"}'
  $ earshot publish lobby --text 'hello, world'
  $ printf '1\\n2\\n3\\n' | earshot publish lobby`;

export function publishCommand(io: Io): Command {
  return connectionFlags(new Command('publish'))
    .description('publishes to a channel, each message exactly once')
    .argument('<channel>', 'its name')
    .argument('[data]', 'JSON; without it, lines of JSON are read from stdin')
    .option('--text', 'the data is plain text, not JSON')
    .option('--timeout <time>', 'for each message: 500ms, 30s, 5m (default 10s)', durationMs, 10_000)
    .addHelpText('after', HELP)
    .action((channel: string, data: string | undefined, flags: PublishFlags) =>
      publish(io, channel, data, flags),
    );
}

async function publish(
  io: Io,
  channel: string,
  data: string | undefined,
  flags: PublishFlags,
): Promise<void> {
  if (!isChannel(channel)) throw CommandError.wrong(`"${channel}" is not the name of a channel`);
  if (data === undefined && flags.token === '-') {
    throw CommandError.wrong(
      'stdin can not hold both the token and the data: use EARSHOT_TOKEN or --token-file',
    );
  }
  const read = flags.text === true ? (text: string) => text : jsonOf;
  const first = data === undefined ? undefined : read(data, 'the data'); // before anything is connected
  const client = await open(io, flags, flags.timeout);
  try {
    if (data === undefined) {
      for await (const [at, line] of lines(io)) {
        printJson(io, await client.publish(channel, read(line, `line ${at}`)));
      }
    } else printJson(io, await client.publish(channel, first));
  } finally {
    client.close();
  }
}

/** What is not empty of stdin, with the number of its line. */
async function* lines({ stdin }: Io): AsyncGenerator<readonly [at: number, line: string]> {
  let at = 0;
  for await (const line of createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    at++;
    if (line.trim() !== '') yield [at, line];
  }
}

function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw CommandError.wrong(`${what} is not JSON; --text publishes it as plain text`);
  }
}
