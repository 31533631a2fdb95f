import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from './spawn.js';
import { tool } from './tools.js';

/** A certificate for this machine's loopback that is signed with its own key: it is its own root, too. */
export interface TestCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes one, in a folder that ends with the test. `days`: how long it is good; with 0 it has expired. */
export function makeCertificate(
  t: Teardown,
  { days = 2, passphrase }: { readonly days?: number; readonly passphrase?: string } = {},
): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [certFile, keyFile, request] = ['cert.pem', 'key.pem', 'request.pem'].map((name) =>
    join(folder, name),
  ) as [string, string, string]; // as many as there are names
  const secrecy = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=localhost'];
  openssl('req', '-new', ...kind, ...secrecy, '-keyout', keyFile, '-out', request, ...NAMES);
  const opened = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`];
  const signing = ['-signkey', keyFile, ...opened, '-copy_extensions', 'copy', '-days', String(days)];
  openssl('x509', '-req', '-in', request, ...signing, '-out', certFile);
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), certFile, keyFile };
}

const NAMES = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];

function openssl(...args: readonly string[]): void {
  execFileSync(tool('openssl'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
