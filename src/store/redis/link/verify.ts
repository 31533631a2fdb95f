import { RedisFault } from './fault.js';

/** What is said at the start of a Redis that serves, but not well. */
export type Warn = (text: string) => void;

const OLDEST = 7;
const EVICTING = /^allkeys-/;

/**
 * Looks at what a server says of itself (INFO). Throws a RedisFault for one that can't be served with: older than Redis 7.0 or
 * Valkey 7.2, a replica, or one that evicts keys of its own will. Warns of one that keeps nothing through its own end.
 */
export function verifyServer(where: string, info: string, warn: Warn): void {
  const facts = factsOf(info);
  const version = facts.get('valkey_version') ?? facts.get('redis_version') ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= OLDEST))
    throw new RedisFault(where, `is Redis ${version}: it has to be Redis 7.0, Valkey 7.2, or later`);
  if (facts.get('role') === 'slave')
    throw new RedisFault(
      where,
      'is a replica: give the address of its master, or of the sentinels or the cluster',
    );
  const policy = facts.get('maxmemory_policy') ?? '';
  if (EVICTING.test(policy) && facts.get('maxmemory') !== '0')
    throw new RedisFault(
      where,
      `evicts messages when it is full: set its maxmemory-policy to noeviction, it is ${policy}`,
    );
  if (facts.get('aof_enabled') === '0')
    warn(
      `the store ${where} keeps no append-only file: what was published since its last snapshot, if it makes any, is lost with it (set appendonly yes)`,
    );
}

function factsOf(info: string): Map<string, string> {
  const lines = info.split(/\r?\n/).map((line) => line.split(':'));
  return new Map(
    lines.flatMap(([name, ...rest]) => (name === undefined ? [] : [[name, rest.join(':')] as const])),
  );
}
