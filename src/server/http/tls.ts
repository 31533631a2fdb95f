import type { KeyObject } from 'node:crypto';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { OptionsError } from '../options/options.js';

/** Who the server shows itself to be, as the text of PEM files. */
export interface TlsOptions {
  /** The server's own certificate, and after it those between it and the root. */
  readonly cert: string | Buffer;
  /** Its private key. */
  readonly key: string | Buffer;
  /** What the key is encrypted with. Default: it is not. */
  readonly passphrase?: string;
}

/**
 * Until when the certificate is good. Throws an OptionsError that names what can't be read, does not fit, or has
 * expired; nothing of the key is in it.
 */
export function checkTls(tls: TlsOptions, nowMs: number): Date {
  const certificate = certificateFrom(tls);
  if (!certificate.checkPrivateKey(keyFrom(tls)))
    throw new OptionsError('tls.key: it does not belong to the first certificate of tls.cert');
  const validUntil = new Date(certificate.validTo);
  if (validUntil.getTime() <= nowMs)
    throw new OptionsError(`tls.cert: it has expired, on ${validUntil.toISOString()}`);
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new OptionsError(`tls: it can't be served with (${reasonOf(error)})`);
  }
  return validUntil;
}

function certificateFrom({ cert }: TlsOptions): X509Certificate {
  try {
    return new X509Certificate(cert);
  } catch {
    throw new OptionsError('tls.cert: it is no certificate in PEM');
  }
}

function keyFrom({ key, passphrase }: TlsOptions): KeyObject {
  try {
    return createPrivateKey({ key, format: 'pem', ...(passphrase !== undefined && { passphrase }) });
  } catch {
    if (!isEncrypted(key)) throw new OptionsError('tls.key: it is no private key in PEM');
    throw new OptionsError(
      passphrase === undefined
        ? 'tls.key: it is encrypted: tls.passphrase opens it'
        : 'tls.passphrase: it does not open tls.key',
    );
  }
}

function isEncrypted(key: string | Buffer): boolean {
  return /ENCRYPTED/.test(String(key));
}

/** OpenSSL's own words for it, as `ee key too small`. */
function reasonOf(error: unknown): string {
  return error instanceof Error && 'reason' in error ? String(error.reason) : String(error);
}
