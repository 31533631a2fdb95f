import { randomInt } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isChannel } from '../protocol/channel.js';
import { bearerOf, TOKEN_HELP } from './bearer.js';
import { HistoryFile } from './check/history/file.js';
import type { Verdict } from './check/judge/findings.js';
import { judgeFile } from './check/judge/judge.js';
import type { CheckOptions } from './check/load/run.js';
import { runCheck } from './check/load/run.js';
import { verdictText } from './check/report.js';
import type { ConnectionFlags } from './client/connection.js';
import { connectionFlags } from './client/connection.js';
import { targetFrom } from './doctor/target.js';
import { positive } from './duration.js';
import { CommandError } from './failure.js';
import type { Io } from './io.js';
import { print, say } from './io.js';

interface CheckFlags extends ConnectionFlags {
  readonly seconds: number;
  readonly seed?: string;
  readonly publishers: number;
  readonly readers: number;
  readonly channels: number;
  readonly prefix: string;
  readonly deniedToken?: string;
  readonly deniedAnonymous?: boolean;
  readonly deniedChannel?: string;
  readonly history?: string;
  readonly judge?: boolean;
  readonly json?: boolean;
}

const HELP = `
Publishes to channels of its own and reads them over WebSocket, Server-Sent Events, long-polling and polling, with cuts,
changes of technique and slow readers; notes everything that is sent and received; and says of each promise whether it was
kept. The caller has to be allowed to subscribe, publish and history on <prefix>/**; with manage, the channels are kept whole
and deleted at the end. The server may be restarted meanwhile, if its store is a durable one.
Exits with 0 where everything is as promised, with 1 where not; then the history is kept, and its file is told.
${TOKEN_HELP}

Examples:
  $ earshot check --url http://127.0.0.1:8080
  $ earshot check --url https://app.example --seconds 300 --denied-anonymous --history check.jsonl
  $ earshot check --judge --history check.jsonl`;

/** `earshot check`. */
export function checkCommand(io: Io): Command {
  return connectionFlags(new Command('check'))
    .description('checks the promises of delivery against a running server')
    .option('--seconds <count>', 'how long it publishes', positive, 30)
    .option(
      '--seed <seed>',
      'decides over all that is chance: letters and digits; default: one of its own',
      seedOf,
    )
    .option('--publishers <count>', 'how many publish', positive, 4)
    .option('--readers <count>', 'how many read', positive, 6)
    .option('--channels <count>', 'how many channels it takes', positive, 3)
    .option('--prefix <name>', 'what the names of its channels begin with', prefixOf, 'check')
    .option('--denied-channel <name>', 'a channel that the caller may neither read nor publish to: it tries')
    .option('--denied-anonymous', 'nobody may read or publish on its channels without a token: it tries')
    .addOption(
      new Option(
        '--denied-token <token>',
        'nor with this token, which is another: it tries (env EARSHOT_DENIED_TOKEN)',
      ).conflicts(['deniedChannel', 'deniedAnonymous']),
    )
    .option('--history <file>', 'keeps what was sent and received there, whatever comes of it')
    .option('--judge', 'sends nothing: judges the history that is there already')
    .option('--json', 'the verdict as one object of JSON')
    .addHelpText('after', HELP)
    .action((flags: CheckFlags) => run(io, flags));
}

async function run(io: Io, flags: CheckFlags): Promise<void> {
  if (flags.judge !== true) return check(io, flags);
  if (flags.history === undefined) throw CommandError.wrong('--judge needs --history: the file to be judged');
  conclude(await judgeFile(flags.history), io, flags, {});
}

async function check(io: Io, flags: CheckFlags): Promise<void> {
  const seed = flags.seed ?? String(randomInt(2 ** 32));
  const { target, denied } = await targetsOf(io, flags);
  if (flags.json !== true) print(io, `seed ${seed}`);
  const path = flags.history ?? join(tmpdir(), `earshot-check-${seed}-${process.pid}.jsonl`);
  const file = new HistoryFile(path);
  const interrupted = interruption();
  let isWanted = flags.history !== undefined;
  try {
    const { seconds, publishers, readers, channels, prefix } = flags;
    const options = { target, denied, seed, seconds, publishers, readers, channels, prefix };
    const { left } = await runCheck({
      ...options,
      note: file.write,
      signal: interrupted.signal,
      say: (words) => say(io, words),
    });
    file.close();
    if (left.length > 0) say(io, `${left.length} channels are left behind: ${left.join(', ')}`);
    const verdict = await judgeFile(path);
    isWanted ||= !verdict.clean;
    conclude(verdict, io, flags, { seed, ...(isWanted && { history: path }) });
  } finally {
    interrupted.forget();
    if (!isWanted) unlinkSync(path);
  }
}

/** Says it. Throws where something is not as promised. */
function conclude(
  verdict: Verdict,
  io: Io,
  { json }: CheckFlags,
  about: { readonly seed?: string; readonly history?: string },
): void {
  print(io, json === true ? JSON.stringify({ ...about, ...verdict }, null, 2) : verdictText(verdict));
  if (about.history !== undefined) say(io, `the history is in ${about.history}`);
  if (verdict.faults.length > 0) throw CommandError.notHad('the history is not whole: nothing can be said');
  if (!verdict.clean) throw CommandError.notHad('not everything is as promised');
}

async function targetsOf(io: Io, flags: CheckFlags): Promise<Pick<CheckOptions, 'target' | 'denied'>> {
  const { url, deniedChannel, deniedAnonymous } = flags;
  const targetOf = (token: string | undefined) => targetFrom(url, { path: '/ws' }, token);
  const target = targetOf(await bearerOf(io, flags));
  if (deniedChannel !== undefined && !isChannel(deniedChannel))
    throw CommandError.wrong(`"${deniedChannel}" is not the name of a channel`);
  if (deniedChannel !== undefined) return { target, denied: { target, channels: [deniedChannel] } };
  const token = flags.deniedToken ?? (io.env['EARSHOT_DENIED_TOKEN'] || undefined);
  if (token === undefined && deniedAnonymous !== true) return { target };
  return { target, denied: { target: targetOf(deniedAnonymous === true ? undefined : token), channels: [] } };
}

function interruption() {
  const controller = new AbortController();
  const end = () => controller.abort();
  process.once('SIGINT', end);
  return { signal: controller.signal, forget: () => process.removeListener('SIGINT', end) };
}

function seedOf(text: string): string {
  if (/^[A-Za-z0-9]{1,32}$/.test(text)) return text;
  throw new InvalidArgumentError('it has to be 1 to 32 letters and digits.');
}

function prefixOf(text: string): string {
  if (isChannel(`${text}/x/0`)) return text;
  throw new InvalidArgumentError('it has to be the beginning of the name of a channel.');
}
