import { readFileSync } from 'node:fs';
import type { FastifyBaseLogger } from 'fastify';
import type { TlsOptions } from '../http/tls.js';
import { OptionsError } from '../options/options.js';
import type { TlsSettings } from '../settings/schema.js';

/** What the files hold that the settings name. Throws an OptionsError for one that can't be read. */
export function readCertificate({ cert, key, passphrase }: TlsSettings): TlsOptions {
  return {
    cert: read('tls.cert', cert),
    key: read('tls.key', key),
    ...(passphrase !== undefined && { passphrase }),
  };
}

/**
 * Reads the files again whenever the process gets a SIGHUP, and hands over what they hold. `replace` gives until when it is
 * good, and throws an OptionsError where it can't be served with: then the log says so, and the old certificate stays.
 * Returns the way to stop.
 */
export function replaceOnHangup(
  settings: TlsSettings,
  log: FastifyBaseLogger,
  replace: (tls: TlsOptions) => Date,
): () => void {
  const readAgain = () => {
    try {
      const validUntil = replace(readCertificate(settings));
      log.info({ validUntil }, 'the certificate was read again');
    } catch (error) {
      if (!(error instanceof OptionsError)) throw error;
      log.error(`the certificate was read again, and the old one stays: ${error.message}`);
    }
  };
  process.on('SIGHUP', readAgain);
  return () => void process.off('SIGHUP', readAgain);
}

function read(name: string, path: string): Buffer {
  if (path.includes('-----BEGIN'))
    throw new OptionsError(`${name}: it is the path of a file, not what the file holds`);
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new OptionsError(`${name}: ${path} can't be read (${code})`);
  }
}
