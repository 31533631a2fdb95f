import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import { OptionsError } from '../options/options.js';

/** The address that a request came from. */
export type AddressOf = (request: IncomingMessage) => string;

/**
 * Where requests come from: the peer of the socket, unless that is one of the trusted proxies; then the last address
 * of X-Forwarded-For that is none of them. What a client writes there itself stands further to the left, and is never
 * looked at. Throws an OptionsError where the list can't be read.
 */
export function addressesBehind(trustProxy: readonly string[]): AddressOf {
  if (trustProxy.length === 0) return socketAddress;
  const trusts = compile(trustProxy);
  return (request) => {
    const forwarded = proxyAddr(request, trusts);
    return isIP(forwarded) === 0 ? socketAddress(request) : plain(forwarded);
  };
}

function compile(trustProxy: readonly string[]) {
  try {
    return proxyAddr.compile([...trustProxy]);
  } catch (error) {
    throw new OptionsError(`trustProxy: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function socketAddress({ socket }: IncomingMessage): string {
  return plain(socket.remoteAddress ?? 'unknown');
}

/** IPv4 as IPv4, also where the socket is IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:/, '');
}
