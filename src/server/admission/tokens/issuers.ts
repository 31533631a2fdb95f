import type { ResolvedOptions } from '../../options/options.js';
import { OptionsError } from '../../options/options.js';
import type { Header } from './header.js';
import type { Algorithm, VerificationKey } from './keys.js';
import { limitedTo, matching, publicKey, SECRET_ALGORITHMS, secretKey, UnusableKey } from './keys.js';
import type { RemoteKeysParts } from './remote-keys.js';
import { RemoteKeys } from './remote-keys.js';

export type TokenOptions = NonNullable<ResolvedOptions['token']>;
type IssuerOptions = Pick<
  TokenOptions,
  'secret' | 'publicKey' | 'jwksUrl' | 'algorithms' | 'audience' | 'issuer'
>;

/** Who is believed: an `iss`, and the keys that hold for it alone. */
export interface Issuer {
  /** What the `iss` must be; undefined takes any but those of the other issuers. */
  readonly name: string | undefined;
  readonly audience: readonly string[] | undefined;
  readonly keys: readonly VerificationKey[];
  readonly remote: RemoteKeys | undefined;
}

const PUBLIC_DEFAULTS: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The configured issuers with their keys. Throws an OptionsError, which names the option and no key. */
export function issuersFrom(options: TokenOptions, parts: RemoteKeysParts): readonly Issuer[] {
  const further = options.issuers ?? [];
  const all: readonly (readonly [path: string, IssuerOptions])[] = [
    ...(hasKeys(options) ? [['token', options] as const] : []),
    ...further.map((issuer, at) => [`token.issuers.${at}`, issuer] as const),
  ];
  if (!hasKeys(options)) checkKeyless(options);
  checkDuplicates(all);
  return all.map(([path, issuer]) => issuerFrom(path, issuer, parts));
}

/** The keys of an issuer that may have signed such a token, without waiting. */
export function keysAtHand({ keys, remote }: Issuer, header: Header): readonly VerificationKey[] {
  const own = matching(keys, { alg: header.alg, kid: undefined }); // the names of keys are for sets of them
  return remote === undefined ? own : [...own, ...remote.atHand(header)];
}

function issuerFrom(path: string, options: IssuerOptions, parts: RemoteKeysParts): Issuer {
  if (!hasKeys(options)) throw new OptionsError(`${path}: needs a secret, a publicKey or a jwksUrl`);
  const { jwksUrl, algorithms, audience, issuer } = options;
  const forSecrets = algorithms?.filter(isForSecrets) ?? ['HS256'];
  const forPublic = algorithms?.filter((algorithm) => !isForSecrets(algorithm)) ?? PUBLIC_DEFAULTS;
  const keys = [
    ...keysFrom(`${path}.secret`, options.secret, secretKey, forSecrets),
    ...keysFrom(`${path}.publicKey`, options.publicKey, publicKey, forPublic),
  ];
  const remote = jwksUrl === undefined ? undefined : remoteKeys(`${path}.jwksUrl`, jwksUrl, forPublic, parts);
  for (const algorithm of algorithms ?? []) {
    const fits = keys.some((key) => key.algorithms.includes(algorithm));
    if (!fits && (remote === undefined || isForSecrets(algorithm))) {
      throw new OptionsError(`${path}.algorithms: ${algorithm} fits none of the keys`);
    }
  }
  return { name: issuer, audience: audience === undefined ? undefined : [audience].flat(), keys, remote };
}

function keysFrom(
  option: string,
  given: string | readonly string[] | undefined,
  read: (text: string) => VerificationKey,
  algorithms: readonly Algorithm[],
): readonly VerificationKey[] {
  return [given ?? []].flat().map((text, at) => {
    const name = typeof given === 'string' ? option : `${option}.${at}`;
    const key = keyFrom(name, text, read);
    const [limited] = limitedTo(algorithms, [key]);
    if (limited !== undefined) return limited;
    throw new OptionsError(`${name}: needs ${key.algorithms.join(' or ')} among the algorithms`);
  });
}

function keyFrom(option: string, text: string, read: (text: string) => VerificationKey): VerificationKey {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof UnusableKey) throw new OptionsError(`${option}: ${error.message}`);
    throw error;
  }
}

function remoteKeys(
  option: string,
  text: string,
  algorithms: readonly Algorithm[],
  parts: RemoteKeysParts,
): RemoteKeys {
  const { protocol, hostname, username, password } = new URL(text);
  if (protocol !== 'https:' && !LOOPBACK.test(hostname)) {
    throw new OptionsError(`${option}: must be https where it is not on loopback`);
  }
  if (username !== '' || password !== '')
    throw new OptionsError(`${option}: must be without user and password`);
  if (algorithms.length === 0) throw new OptionsError(`${option}: needs an algorithm for public keys`);
  return new RemoteKeys(option, text, algorithms, parts);
}

/** What stands beside no keys would hold for nothing. */
function checkKeyless({ issuer, audience, algorithms, issuers = [] }: TokenOptions): void {
  if (issuers.length === 0)
    throw new OptionsError('token: needs a secret, a publicKey, a jwksUrl or issuers');
  const idle = Object.entries({ issuer, audience, algorithms }).find(([, value]) => value !== undefined);
  if (idle === undefined) return;
  throw new OptionsError(`token.${idle[0]}: there is no key beside it; set it in each of token.issuers`);
}

function checkDuplicates(all: readonly (readonly [path: string, IssuerOptions])[]): void {
  const names = new Set<string>();
  for (const [path, { issuer }] of all) {
    if (issuer === undefined) continue;
    if (names.has(issuer)) throw new OptionsError(`${path}.issuer: is there already`);
    names.add(issuer);
  }
}

function hasKeys({ secret, publicKey, jwksUrl }: IssuerOptions): boolean {
  return secret !== undefined || publicKey !== undefined || jwksUrl !== undefined;
}

function isForSecrets(algorithm: Algorithm): boolean {
  return SECRET_ALGORITHMS.includes(algorithm);
}
