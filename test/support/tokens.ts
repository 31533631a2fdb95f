import type { KeyObject } from 'node:crypto';
import { constants, createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Teardown } from './spawn.js';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const rsaPair = (modulusLength = 2048): KeyPair => generateKeyPairSync('rsa', { modulusLength });
export const ecPair = (namedCurve = 'P-256'): KeyPair => generateKeyPairSync('ec', { namedCurve });

/** As an issuer would tell it: PEM, or a JWK with more members. */
export const pemOf = (key: KeyObject) =>
  String(key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }));
export const jwkOf = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });

/** A token of any header and claims, well signed by its `alg`; without code of the library that checks it. */
export function signed(
  header: object,
  claims: object | string,
  key: KeyObject | string | Uint8Array,
): string {
  const input = `${part(header)}.${part(claims)}`;
  const { alg } = { alg: undefined, ...header };
  const bytes =
    key instanceof Uint8Array || typeof key === 'string'
      ? hmac(String(alg), input, key)
      : signature(String(alg), input, key);
  return `${input}.${bytes.toString('base64url')}`;
}

export function part(value: object | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

function hmac(alg: string, input: string, secret: string | Uint8Array): Buffer {
  return createHmac(`sha${/^HS(\d+)$/.exec(alg)?.[1] ?? '256'}`, secret)
    .update(input)
    .digest();
}

function signature(alg: string, input: string, key: KeyObject): Buffer {
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  const how = { key, dsaEncoding: 'ieee-p1363' as const, ...(alg.startsWith('PS') && pss) };
  return signBytes(hash, Buffer.from(input), how);
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of keys. It ends with the test, whatever it still holds open. */
export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  asked(): number;
  /** Waits until it was asked so often. */
  askedTimes(times: number): Promise<void>;
  /** What it answers from now on: the keys of a set, or as a function does. */
  answers(what: readonly object[] | Answer): void;
}

export async function keyServer(t: Teardown, what: readonly object[] | Answer): Promise<KeyServer> {
  let answer = answerOf(what);
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    server.emit('asked');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    url: `http://127.0.0.1:${address.port}/keys`,
    asked: () => asked,
    async askedTimes(times) {
      while (asked < times) await once(server, 'asked');
    },
    answers(next) {
      answer = answerOf(next);
    },
  };
}

function answerOf(what: readonly object[] | Answer): Answer {
  if (typeof what === 'function') return what;
  const body = JSON.stringify({ keys: what });
  return (_request, response) => response.setHeader('content-type', 'application/json').end(body);
}
