import type { Command } from 'commander';
import { Option } from 'commander';
import type { Client } from '../../client/node.js';
import { connect } from '../../client/node.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { readStdin, readText, say } from '../io.js';

/** How a command reaches a server. */
export interface ConnectionFlags {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

const DEFAULT_URL = 'ws://127.0.0.1:8080/ws';

/** What is said of tokens in the help of every command that connects. */
export const TOKEN_HELP = `
A token on the command line is visible to other users of this machine: rather use EARSHOT_TOKEN, --token-file, or --token - (stdin).`;

export function connectionFlags(command: Command): Command {
  return command
    .option('--url <url>', 'of the server: its WebSocket, or the address that it prints', DEFAULT_URL)
    .option('--token <token>', 'proves who you are (env EARSHOT_TOKEN); - reads it from stdin')
    .addOption(
      new Option('--token-file <file>', 'the file that the token is in (env EARSHOT_TOKEN_FILE)').conflicts(
        'token',
      ),
    );
}

/** A client that says on stderr how it stands. */
export async function open(io: Io, flags: ConnectionFlags, commandTimeoutMs?: number): Promise<Client> {
  const token = await tokenOf(io, flags);
  const client = connect(socketUrl(flags.url), {
    ...(token !== undefined && { token }),
    ...(commandTimeoutMs !== undefined && { commandTimeoutMs }),
  });
  client.on('state', (state, { code, reason, retryInMs }) => {
    if (state === 'connected') say(io, `connected as ${client.session?.name ?? ''}`);
    if (state !== 'waiting') return;
    const again = retryInMs === undefined ? '' : `; again in ${(retryInMs / 1000).toFixed(1)} s`;
    say(io, `not connected: ${reason ?? code ?? 'the connection was cut'}${again}`);
  });
  return client;
}

async function tokenOf(io: Io, { token, tokenFile }: ConnectionFlags): Promise<string | undefined> {
  if (token !== undefined) return token === '-' ? (await readStdin(io)).trim() : token;
  if (tokenFile !== undefined) return readText(tokenFile);
  const [said = '', file = ''] = [io.env['EARSHOT_TOKEN'], io.env['EARSHOT_TOKEN_FILE']];
  if (said !== '' && file !== '') {
    throw CommandError.wrong('EARSHOT_TOKEN and EARSHOT_TOKEN_FILE are both set: which one holds?');
  }
  if (file !== '') return readText(file);
  return said === '' ? undefined : said;
}

/** The address of the WebSocket; of an HTTP address, what is at `ws` below it. */
export function socketUrl(text: string): string {
  if (!URL.canParse(text)) throw CommandError.wrong(`--url: "${text}" is not an address`);
  const url = new URL(text);
  if (url.protocol === 'ws:' || url.protocol === 'wss:') return text;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw CommandError.wrong(`--url: "${text}" is none of ws, wss, http, https`);
  }
  const path = url.pathname.replace(/\/$/, '');
  const below = path.endsWith('/ws') ? path : `${path}/ws`;
  return `${url.protocol.replace('http', 'ws')}//${url.host}${below}${url.search}`;
}
