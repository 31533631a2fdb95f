/** Where a Redis is, and how to be let in. */
export interface RedisAddress {
  /** `server` is one, found at the first of `hosts`; `sentinel` is the master that the sentinels at `hosts` name. */
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** What the sentinels call it. */
  readonly master: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  /** The number of the database. */
  readonly db: number;
  /** What all keys and topics begin with. */
  readonly prefix: string;
}

/** An address that can't be: the message is one line, without the password. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

const SCHEME = /^(redis|rediss|valkey|valkeys)(?:\+(sentinel|cluster))?:\/\//;
const AUTHORITY =
  /^(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<hosts>[^/?#@]+)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/;
const HOST = /^(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<name>[A-Za-z0-9._-]+))(?::(?<port>\d{1,5}))?$/;
const PREFIX = /^[A-Za-z0-9._-]{1,64}$/;
const DEFAULT_PREFIX = 'earshot';
const PORT = 6379;
const SENTINEL_PORT = 26_379;
const MAX_PORT = 65_535;
const MAX_DB = 1_000_000;

/** True for what begins as the address of a Redis does. */
export function isRedisAddress(text: string): boolean {
  return SCHEME.test(text);
}

/**
 * `redis://user:password@host:port/db?prefix=earshot`; `rediss://` is TLS, `valkey://` and `valkeys://` are the same.
 * `redis+sentinel://host:port,host:port/master/db`, `redis+cluster://host:port,host:port`. The user, the password, the port,
 * the database and the prefix may be left out; what has other characters in them is percent-encoded. Throws an AddressError.
 */
export function parseRedisAddress(text: string): RedisAddress {
  const scheme = SCHEME.exec(text);
  const parts = scheme === null ? null : AUTHORITY.exec(text.slice(scheme[0].length));
  if (scheme === null || parts?.groups === undefined)
    throw new AddressError('is no address like redis://user:password@host:6379/0');
  const [, protocol = '', suffix] = scheme;
  const { user, password, hosts = '', path = '', query = '' } = parts.groups;
  const kind = suffix === 'sentinel' || suffix === 'cluster' ? suffix : 'server';
  const segments = path.split('/').slice(1).map(decoded).filter(Boolean);
  const [master, db] = kind === 'sentinel' ? segments : ['', segments[0]];
  if (segments.length > (kind === 'sentinel' ? 2 : 1))
    throw new AddressError('has a path that means nothing');
  if (kind === 'sentinel' && !master)
    throw new AddressError('names no master, as in redis+sentinel://host:26379/mymaster');
  if (kind === 'cluster' && db !== undefined && db !== '0')
    throw new AddressError('names a database, and a cluster has none');
  const found = hosts.split(',').map((each) => hostOf(each, kind === 'sentinel' ? SENTINEL_PORT : PORT));
  if (kind === 'server' && found.length > 1)
    throw new AddressError('names several hosts, but neither +sentinel nor +cluster');
  return {
    kind,
    hosts: found,
    master: master ?? '',
    user: user ? decoded(user) : undefined,
    password: password ? decoded(password) : undefined,
    tls: protocol.endsWith('ss') || protocol === 'valkeys',
    db: dbOf(db ?? '0'),
    prefix: prefixOf(query),
  };
}

/** The address as it may be shown: without the password. */
export function publicAddress({ kind, hosts, master, tls, db }: RedisAddress): string {
  const suffix = kind === 'server' ? '' : `+${kind}`;
  const names = hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
  return `${tls ? 'rediss' : 'redis'}${suffix}://${names}${master === '' ? '' : `/${master}`}${db === 0 ? '' : `/${db}`}`;
}

function hostOf(text: string, port: number): { host: string; port: number } {
  const { six, name, port: digits } = HOST.exec(text)?.groups ?? {};
  const host = six ?? name;
  const found = digits === undefined ? port : Number(digits);
  if (host === undefined || found < 1 || found > MAX_PORT)
    throw new AddressError(`has no host and port in "${text}"`);
  return { host, port: found };
}

function dbOf(text: string): number {
  const db = Number(text);
  if (!/^\d+$/.test(text) || db > MAX_DB) throw new AddressError('names a database that is no number');
  return db;
}

function prefixOf(query: string): string {
  const params = new URLSearchParams(query);
  for (const name of params.keys())
    if (name !== 'prefix')
      throw new AddressError(`has a parameter "${name}" that means nothing: there is "prefix"`);
  const prefix = params.get('prefix') ?? DEFAULT_PREFIX;
  if (!PREFIX.test(prefix))
    throw new AddressError('has a prefix other than 1 to 64 letters, digits, ".", "_" and "-"');
  return prefix;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressError('has a "%" that encodes nothing');
  }
}
