import type { IncomingHttpHeaders } from 'node:http';
import { Refused } from '../../protocol/refused.js';
import { BEARER_PREFIX } from '../../protocol/version.js';
import type { ResolvedOptions } from '../options/options.js';

/** A token and how it came. */
export interface Credentials {
  readonly token: string;
  readonly from: 'header' | 'subprotocol' | 'cookie' | 'query';
}

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** The token that a request carries, in the order: header, subprotocol, cookie, query. */
export function credentialsOf(
  headers: IncomingHttpHeaders,
  url: string,
  offered: ReadonlySet<string>,
  options: ResolvedOptions['token'],
): Credentials | undefined {
  const header = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (header !== undefined) return { token: header, from: 'header' };
  if (headers.authorization !== undefined)
    throw new Refused('unauthenticated', 'the Authorization is not a Bearer token');
  const subprotocol = [...offered].find((value) => value.startsWith(BEARER_PREFIX));
  if (subprotocol !== undefined) return { token: decodeBearer(subprotocol), from: 'subprotocol' };
  const cookie = options?.cookie === undefined ? undefined : cookieNamed(options.cookie, headers.cookie);
  if (cookie !== undefined) return { token: cookie, from: 'cookie' };
  const query = options?.query === true ? new URLSearchParams(url.split('?')[1] ?? '').get('token') : null;
  return query === null ? undefined : { token: query, from: 'query' };
}

/** A URL as it may be logged: a query that carries a token is left out, however often it is begun. */
export function withoutToken(url: string): string {
  const [path = '', ...queries] = url.split('?');
  return queries.some((query) => new URLSearchParams(query).has('token')) ? `${path}?…` : url;
}

function decodeBearer(value: string): string {
  const encoded = value.slice(BEARER_PREFIX.length);
  if (!BASE64URL.test(encoded)) throw new Refused('unauthenticated', 'the offered token is not base64url');
  return Buffer.from(encoded, 'base64url').toString();
}

function cookieNamed(name: string, header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
