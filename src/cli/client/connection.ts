import type { Command } from 'commander';
import type { Client } from '../../client/node.js';
import { connect } from '../../client/node.js';
import type { BearerFlags } from '../bearer.js';
import { bearerFlags, bearerOf } from '../bearer.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { say } from '../io.js';

/** How a command reaches a server. */
export interface ConnectionFlags extends BearerFlags {
  readonly url: string;
}

const DEFAULT_URL = 'ws://127.0.0.1:8080/ws';

export function connectionFlags(command: Command): Command {
  const withUrl = command.option(
    '--url <url>',
    'of the server: its WebSocket, or the address that it prints',
    DEFAULT_URL,
  );
  return bearerFlags(withUrl);
}

/** A client that says on stderr how it stands. */
export async function open(io: Io, flags: ConnectionFlags, commandTimeoutMs?: number): Promise<Client> {
  const token = await bearerOf(io, flags);
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
