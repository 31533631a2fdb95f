import { decodeProtectedHeader } from 'jose';
import { Refused } from '../../../protocol/refused.js';

/** What of a token's header chooses the keys to try. Nobody has signed it yet: nothing else of it is looked at. */
export interface Header {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** In characters. Node takes 16 KiB of headers in all, and a token in a subprotocol is a third longer than it is. */
export const MAX_TOKEN_LENGTH = 12 * 1024;
/** A signed token in three parts: one of five is encrypted, one without a signature is not signed. */
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Reads the header of a token. Throws `unauthenticated` where it is no signed token, or has a header that changes
 * what is signed (RFC 7515 §4.1.11, RFC 7797): no such extension is known here.
 */
export function headerOf(token: string): Header {
  if (token.length > MAX_TOKEN_LENGTH)
    throw notAccepted(`the token is longer than ${MAX_TOKEN_LENGTH} characters`);
  const { alg, kid, crit, b64 } = decoded(token);
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) throw notAccepted();
  if (crit !== undefined || b64 !== undefined) throw notAccepted();
  return { alg, kid };
}

/** One message for everything that is not worth telling apart. */
export function notAccepted(message = 'the token is not one that is accepted here'): Refused {
  return new Refused('unauthenticated', message);
}

function decoded(token: string): Readonly<Record<string, unknown>> {
  if (!SIGNED.test(token)) throw notAccepted();
  try {
    return { ...decodeProtectedHeader(token) };
  } catch {
    throw notAccepted(); // jose throws a TypeError for what is no base64url, no JSON or no object
  }
}
