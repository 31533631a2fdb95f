import type { IncomingHttpHeaders } from 'node:http';
import type { ResolvedOptions } from '../options/options.js';

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * True where a page at this Origin may connect (RFC 6455 §10.2): it is on the list, exactly, or "same" is and it
 * is the host that was asked. Development also takes pages of this machine, served or opened from disk.
 */
export function isAllowedOrigin(
  origin: string,
  headers: IncomingHttpHeaders,
  options: ResolvedOptions,
): boolean {
  if (options.origins.includes(origin)) return true;
  if (options.origins.includes('same') && isSameHost(origin, hostOf(headers))) return true;
  return options.dev && isLocalPage(origin);
}

/** HTTP/2 has another name for it (RFC 9113 §8.3.1). */
function hostOf(headers: IncomingHttpHeaders): string | undefined {
  const { ':authority': authority } = headers;
  return typeof authority === 'string' ? authority : headers.host;
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

function isLocalPage(origin: string): boolean {
  if (origin === 'null' || origin === 'file://') return true;
  return URL.canParse(origin) && LOOPBACK_HOSTS.has(new URL(origin).hostname);
}
