import { randomUUID } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { SignJWT } from 'jose';
import { ACTIONS } from '../core/policy/action.js';
import { parseGrants } from '../core/policy/grants.js';
import { Refused } from '../protocol/refused.js';
import type { ResolvedOptions } from '../server/options/options.js';
import { resolveOptions } from '../server/options/options.js';
import type { Flags } from '../server/settings/settings.js';
import { settingsFrom } from '../server/settings/settings.js';
import { durationMs } from './duration.js';
import { CommandError } from './failure.js';
import { settingFlags } from './flags.js';
import type { Io } from './io.js';
import { print } from './io.js';

type Token = NonNullable<ResolvedOptions['token']>;
type Channels = Readonly<Record<string, readonly string[]>>;

interface TokenFlags extends Flags {
  readonly sub: string;
  readonly name?: string;
  readonly channel?: Channels;
  readonly expiresIn: number;
  readonly jti?: string | true;
  readonly issuer?: string;
  readonly audience?: string;
}

const HELP = `
It is signed with the shared secret of the settings (EARSHOT_TOKEN_SECRET). Takes every flag of "earshot serve" too.

Example:
  $ earshot token --sub ann --channel 'chat/*=subscribe,publish' --expires-in 1h`;

export function tokenCommand(io: Io): Command {
  return settingFlags(new Command('token'), { hidden: true })
    .description('signs a token for trying things out, and prints it')
    .requiredOption('--sub <user>', 'whose it is')
    .option('--name <name>', 'the name that others see; default: the user')
    .option('--channel <pattern=actions>', 'what it allows there; may be repeated', addChannel)
    .option(
      '--expires-in <time>',
      'how long it is good: 90s, 15m, 1h, 7d (default 1h)',
      durationMs,
      3_600_000,
    )
    .option('--jti [id]', 'an id of the token; a random one unless it is said')
    .option('--issuer <issuer>', 'its iss; default: the one of the settings')
    .option('--audience <audience>', 'its aud; default: the first of the settings')
    .addHelpText('after', HELP)
    .action(async (flags: TokenFlags) => {
      const { options } = await settingsFrom(flags, io.env, io.cwd);
      print(io, await signed(flags, resolveOptions(options).token));
    });
}

/** `chat/*=subscribe,publish`, added to those before it. */
function addChannel(text: string, before: Channels = {}): Channels {
  const [, pattern = '', actions = ''] = /^(.*?)=(.*)$/.exec(text) ?? [];
  const channels = { ...before, [pattern]: actions.split(',').map((action) => action.trim()) };
  try {
    parseGrants(channels);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new InvalidArgumentError(`write it as pattern=actions, the actions among ${ACTIONS.join(', ')}.`);
  }
  return channels;
}

async function signed(flags: TokenFlags, token: Token | undefined): Promise<string> {
  const { secret, algorithm, issuer, audience } = signerOf(token, flags.issuer);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const jwt = new SignJWT({
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.channel !== undefined && { channels: flags.channel }),
  })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setSubject(flags.sub)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + Math.ceil(flags.expiresIn / 1000));
  if (issuer !== undefined) jwt.setIssuer(issuer);
  const aud = flags.audience ?? audience;
  if (aud !== undefined) jwt.setAudience(aud);
  if (flags.jti !== undefined) jwt.setJti(flags.jti === true ? randomUUID() : flags.jti);
  return jwt.sign(new TextEncoder().encode(secret));
}

interface Signer {
  readonly secret: string;
  readonly algorithm: string;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** The keys of the issuer that is named, else those of the settings themselves. */
function signerOf(token: Token | undefined, issuer: string | undefined): Signer {
  if (token === undefined) {
    throw CommandError.wrong(
      'there is no secret to sign with: set EARSHOT_TOKEN_SECRET, or token.secret in the file',
    );
  }
  const keys = token.issuers?.find((each) => each.issuer === issuer) ?? token;
  const [secret] = [keys.secret ?? []].flat();
  if (secret === undefined) {
    throw CommandError.wrong(
      'only a public key is set: whoever has the private one signs, this command can not',
    );
  }
  const algorithm = (keys.algorithms ?? ['HS256']).find((name) => name.startsWith('HS'));
  if (algorithm === undefined) {
    throw CommandError.wrong('token.algorithms names none of a shared secret (HS256, HS384, HS512)');
  }
  const [audience] = [keys.audience ?? []].flat();
  return { secret, algorithm, issuer: issuer ?? keys.issuer, audience };
}
