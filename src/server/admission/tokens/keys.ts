import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import * as z from 'zod';
import type { ALGORITHMS } from '../../options/token.js';
import type { Header } from './header.js';

export type Algorithm = (typeof ALGORITHMS)[number];

/** A key and the algorithms that it may check: those of its kind, so that a public key is never taken for a secret. */
export interface VerificationKey {
  readonly key: KeyObject | Uint8Array;
  readonly algorithms: readonly Algorithm[];
  readonly kid: string | undefined;
}

/** Why a key can't be taken, to be put after the name of the option. It never tells the key. */
export class UnusableKey extends Error {
  override readonly name = 'UnusableKey';
}

export const SECRET_ALGORITHMS: readonly Algorithm[] = ['HS256', 'HS384', 'HS512'];

const MIN_RSA_BITS = 2048;
/** A larger one takes long for each signature. */
const MAX_RSA_BITS = 8192;
const RSA_ALGORITHMS: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EC_ALGORITHMS: ReadonlyMap<string | undefined, Algorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

const PEM_BEGIN = /-----BEGIN ([^-]*)-----/g;
/** Where a JWK has any of these, it is not public (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

const publicJwk = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'))
    .optional(),
  crv: z.string().exactOptional(),
  x: z.string().exactOptional(),
  y: z.string().exactOptional(),
  n: z.string().exactOptional(),
  e: z.string().exactOptional(),
});

/** Of one issuer, for one token: several, since keys may be without a name, or change while they keep it. */
const MAX_TRIED = 8;

/** Those that may have signed such a token. Its header only chooses among them: nothing in it is believed. */
export function matching(keys: readonly VerificationKey[], { alg, kid }: Header): readonly VerificationKey[] {
  return keys
    .filter((key) => key.algorithms.some((algorithm) => algorithm === alg))
    .filter((key) => kid === undefined || key.kid === kid)
    .slice(0, MAX_TRIED);
}

/** Those that check one of these algorithms, and no other. */
export function limitedTo(
  algorithms: readonly Algorithm[],
  keys: readonly VerificationKey[],
): readonly VerificationKey[] {
  return keys
    .map((key) => ({ ...key, algorithms: key.algorithms.filter((each) => algorithms.includes(each)) }))
    .filter((key) => key.algorithms.length > 0);
}

/** A shared secret. Throws UnusableKey for the text of a key: what is public would then be the secret. */
export function secretKey(text: string): VerificationKey {
  if (text.match(PEM_BEGIN) !== null || isJwk(text)) {
    throw new UnusableKey('is the text of a key, not a shared secret: a public key goes to publicKey');
  }
  return { key: new TextEncoder().encode(text), algorithms: SECRET_ALGORITHMS, kid: undefined };
}

/** A public key: PEM (SPKI, or an X.509 certificate), or a JWK as JSON. Throws UnusableKey. */
export function publicKey(text: string): VerificationKey {
  const jwk = parseJson(text);
  return jwk === undefined ? keyFromPem(text) : keyFromJwk(jwk);
}

/** A public key as a set of keys has it. Throws UnusableKey, for keys of another use as well. */
export function keyFromJwk(jwk: unknown): VerificationKey {
  if (isPrivateJwk(jwk)) throw new UnusableKey('is a private or secret key: give the public one');
  const parsed = publicJwk.safeParse(jwk);
  if (!parsed.success) throw new UnusableKey('is not a public JWK for signatures');
  const { kid, alg, use: _use, key_ops: _operations, ...key } = parsed.data;
  const read = readable(() => createPublicKey({ key, format: 'jwk' }));
  const algorithms = algorithmsOf(read).filter((each) => alg === undefined || alg === each);
  if (algorithms.length === 0) throw new UnusableKey('is of another "alg" than its kind has');
  return { key: read, algorithms, kid };
}

function keyFromPem(text: string): VerificationKey {
  const [label, ...others] = [...text.matchAll(PEM_BEGIN)].map(([, each = '']) => each);
  if (label?.endsWith('PRIVATE KEY') === true) {
    throw new UnusableKey('is a private key: give the public one');
  }
  if (others.length > 0) throw new UnusableKey('is more than one key: give a list of texts');
  const key = readable(() => createPublicKey(text.trim()));
  return { key, algorithms: algorithmsOf(key), kid: undefined };
}

function readable(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    throw new UnusableKey('is not a key that can be read: PEM (SPKI or X.509), or a JWK as JSON');
  }
}

/** What a public key may check, by its kind. Throws UnusableKey for a weak one, and a kind that signs nothing here. */
function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly Algorithm[] {
  const { modulusLength: bits = 0, publicExponent: exponent = 0n, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'ed25519') return ['EdDSA'];
  const ofCurve = EC_ALGORITHMS.get(namedCurve);
  if (asymmetricKeyType === 'ec' && ofCurve !== undefined) return [ofCurve];
  if (asymmetricKeyType !== 'rsa') throw new UnusableKey('is of a kind that no algorithm here uses');
  if (bits < MIN_RSA_BITS || exponent < 3n)
    throw new UnusableKey(`is weaker than RSA of ${MIN_RSA_BITS} bits`);
  if (bits > MAX_RSA_BITS) throw new UnusableKey(`is RSA of more than ${MAX_RSA_BITS} bits`);
  return RSA_ALGORITHMS;
}

function isPrivateJwk(jwk: unknown): boolean {
  if (typeof jwk !== 'object' || jwk === null) return false;
  return ('kty' in jwk && jwk.kty === 'oct') || PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

function isJwk(text: string): boolean {
  const parsed = parseJson(text);
  return typeof parsed === 'object' && parsed !== null && 'kty' in parsed;
}

function parseJson(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch {
    return undefined;
  }
}
