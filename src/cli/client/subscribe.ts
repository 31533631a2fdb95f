import { Command } from 'commander';
import type { Client, Subscription } from '../../client/node.js';
import { isChannel } from '../../protocol/channel.js';
import { TOKEN_HELP } from '../bearer.js';
import { positive } from '../duration.js';
import { CommandError } from '../failure.js';
import type { Io } from '../io.js';
import { printJson } from '../io.js';
import type { ConnectionFlags } from './connection.js';
import { connectionFlags, open } from './connection.js';

interface SubscribeFlags extends ConnectionFlags {
  readonly offset: string;
  readonly presence?: boolean;
  readonly limit?: number;
}

type Tell = (envelope: Readonly<Record<string, unknown>>) => void;

const HELP = `
Prints a line of JSON for each envelope: message, gap and closed; with --presence also members (who is there when it
begins), joined and left. How the connection stands is said on stderr. It comes back by itself after a cut, and misses nothing.
Ends with 0 at SIGINT, when every channel is closed, at --limit, or when nobody reads its output any more.
${TOKEN_HELP}

Examples:
  $ earshot subscribe lobby
  $ earshot subscribe chat/room news --offset -1 --limit 10
  $ earshot subscribe lobby --presence | jq .data`;

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
    .addHelpText('after', HELP)
    .action(async (names: readonly string[], flags: SubscribeFlags) => {
      const channels = [...new Set(names)];
      const bad = channels.find((channel) => !isChannel(channel));
      if (bad !== undefined) throw CommandError.wrong(`"${bad}" is not the name of a channel`);
      const quit = untilSignal();
      const client = await open(io, flags);
      try {
        await Promise.race([follow(io, client, channels, flags), quit.promise]);
      } finally {
        client.close();
        quit.forget();
      }
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
