import { Command, Option } from 'commander';
import type { Client, Subscription } from '../../client/node.js';
import { isChannel } from '../../protocol/channel.js';
import { bearerOf, TOKEN_HELP } from '../bearer.js';
import { durationMs, positive } from '../duration.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { printJson } from '../io.js';
import type { ConnectionFlags } from './connection.js';
import { connectionFlags, open } from './connection.js';
import type { HttpTransport } from './over-http.js';
import { followOverHttp, HTTP_TRANSPORTS } from './over-http.js';

const TRANSPORTS = ['websocket', ...HTTP_TRANSPORTS];

interface SubscribeFlags extends ConnectionFlags {
  readonly offset: string;
  readonly presence?: boolean;
  readonly limit?: number;
  readonly transport: 'websocket' | HttpTransport;
  readonly every: number;
}

type Tell = (envelope: Readonly<Record<string, unknown>>) => void;

const HELP = `
Prints a line of JSON for each envelope: message, gap and closed; with --presence also members (who is there when it
begins; not over HTTP), joined and left. How the connection stands is said on stderr. It comes back by itself after a cut, and misses nothing.
Ends with 0 at SIGINT, when every channel is closed, at --limit, or when nobody reads its output any more.
${TOKEN_HELP}

Examples:
  $ earshot subscribe lobby
  $ earshot subscribe chat/room news --offset -1 --limit 10
  $ earshot subscribe lobby --presence | jq .data
  $ earshot subscribe lobby --transport long-poll`;

export function subscribeCommand(io: Io): Command {
  return connectionFlags(new Command('subscribe'))
    .description('follows channels')
    .argument('<channel...>', 'their names')
    .option(
      '--offset <offset>',
      'where to begin: an offset, -1 for all that is kept, now for what comes',
      'now',
    )
    .option('--presence', 'tells who is there as well')
    .option('--limit <count>', 'ends after so many messages', positive)
    .addOption(
      new Option('--transport <transport>', 'how it follows').choices(TRANSPORTS).default('websocket'),
    )
    .option('--every <time>', 'between two polls: 500ms, 30s, 5m (default 1s)', durationMs, 1000)
    .addHelpText('after', HELP)
    .action(async (names: readonly string[], flags: SubscribeFlags) => {
      const channels = [...new Set(names)];
      const bad = channels.find((channel) => !isChannel(channel));
      if (bad !== undefined) throw CommandError.wrong(`"${bad}" is not the name of a channel`);
      const quit = untilSignal();
      try {
        if (flags.transport === 'websocket') await followSocket(io, channels, flags, quit.promise);
        else await followHttp(io, channels, flags, flags.transport, quit.promise);
      } finally {
        quit.forget();
      }
    });
}

async function followSocket(
  io: Io,
  channels: readonly string[],
  flags: SubscribeFlags,
  quit: Promise<void>,
): Promise<void> {
  const client = await open(io, flags);
  try {
    await Promise.race([follow(io, client, channels, flags), quit]);
  } finally {
    client.close();
  }
}

async function followHttp(
  io: Io,
  channels: readonly string[],
  { url, offset, presence = false, limit = Number.POSITIVE_INFINITY, every, ...flags }: SubscribeFlags,
  transport: HttpTransport,
  quit: Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  void quit.then(() => ending.abort());
  let left = limit;
  const tell = (envelope: Readonly<Record<string, unknown>>) => {
    printJson(io, envelope);
    if (envelope['type'] === 'message') left--;
    return left > 0;
  };
  const token = await bearerOf(io, flags);
  const { signal } = ending;
  await followOverHttp(io, {
    url,
    token,
    transport,
    channels,
    offset,
    presence,
    everyMs: every,
    signal,
    tell,
  });
}

/** Until there is nothing more to tell. Rejects where a channel can't be followed. */
function follow(io: Io, client: Client, channels: readonly string[], flags: SubscribeFlags): Promise<void> {
  const { offset, presence = false, limit = Number.POSITIVE_INFINITY } = flags;
  return new Promise((resolve, reject) => {
    let [left, open] = [limit, channels.length];
    const tell: Tell = (envelope) => {
      if (left > 0) printJson(io, envelope);
    };
    for (const channel of channels) {
      const subscription = client.subscribe(channel, { offset, presence });
      subscription.on('message', (message) => {
        tell({ type: 'message', ...message });
        if (--left === 0) resolve();
      });
      subscription.on('ended', (error) => {
        if (error !== undefined) reject(error);
        else if (--open === 0) resolve();
      });
      tellOf(subscription, tell);
    }
  });
}

/** Resolves when somebody wants an end. */
function untilSignal(): { readonly promise: Promise<void>; forget(): void } {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  let end = () => {};
  const promise = new Promise<void>((resolve) => {
    end = resolve;
  });
  for (const signal of signals) process.once(signal, end);
  return {
    promise,
    forget: () => {
      for (const signal of signals) process.removeListener(signal, end);
    },
  };
}

/** What there is besides messages. The members are told once each time that it begins; after that, each change. */
function tellOf(subscription: Subscription, tell: Tell): void {
  const { channel } = subscription;
  let isNew = false;
  subscription.on('gap', ({ offset, reason }) => tell({ type: 'gap', channel, offset, reason }));
  subscription.on('closed', ({ offset }) => tell({ type: 'closed', channel, offset }));
  subscription.on('resumed', () => {
    isNew = true;
  });
  subscription.on('joined', (member) => {
    isNew = false;
    tell({ type: 'joined', channel, member });
  });
  subscription.on('left', (member, cause) => {
    isNew = false;
    tell({ type: 'left', channel, member, cause });
  });
  subscription.on('members', (members) => {
    if (isNew) tell({ type: 'members', channel, members, count: subscription.count });
    isNew = false;
  });
}
