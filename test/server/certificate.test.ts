import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import type { AppOptions, TlsOptions } from '../../src/index.js';
import { createApp, OptionsError, replaceCertificate } from '../../src/index.js';
import { checkTls } from '../../src/server/http/tls.js';
import { appOn, eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { CLEAN, earshot, failsWith } from '../support/command.js';
import { askHttps, http2Client } from '../support/http2.js';
import { secret } from '../support/secrets.js';
import { startServer } from '../support/spawn.js';

const PASSPHRASE = secret('the passphrase of a key of these tests');
const certificate = makeCertificate(t);
const other = makeCertificate(t);
const expired = makeCertificate(t, { days: 0 });
const locked = makeCertificate(t, { passphrase: PASSPHRASE });

const pairOf = ({ cert, key }: TlsOptions): TlsOptions => ({ cert, key });

/** The number of the certificate that a new connection is shown. */
async function shownAt(t: Test, port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

t.test('createApp / a certificate that can not be served with → an OptionsError that says why', async (t) => {
  const garbage = 'no certificate at all';
  const table: Readonly<Record<string, readonly [TlsOptions, RegExp]>> = {
    'no certificate': [{ ...pairOf(certificate), cert: garbage }, /^tls\.cert: it is no certificate in PEM$/],
    'a broken one': [
      { ...pairOf(certificate), cert: String(certificate.cert).slice(0, 200) },
      /^tls\.cert: it is no certificate in PEM$/,
    ],
    'no key': [{ ...pairOf(certificate), key: garbage }, /^tls\.key: it is no private key in PEM$/],
    'the certificate for the key': [
      { cert: certificate.cert, key: certificate.cert },
      /^tls\.key: it is no private key in PEM$/,
    ],
    'the key of another': [{ cert: certificate.cert, key: other.key }, /^tls\.key: it does not belong/],
    'one that has expired': [pairOf(expired), /^tls\.cert: it has expired, on 20\d\d-/],
    'a key that is locked': [pairOf(locked), /^tls\.key: it is encrypted: tls\.passphrase opens it$/],
    'the wrong passphrase': [
      { ...pairOf(locked), passphrase: 'another' },
      /^tls\.passphrase: it does not open tls\.key$/,
    ],
  };
  for (const [name, [tls, message]] of Object.entries(table)) {
    await t.test(name, async (t) => {
      await t.rejects(createApp({ dev: true }, { tls }), { name: 'OptionsError', message });
    });
  }
  const both: AppOptions = { tls: pairOf(certificate), server: createServer() };
  await t.rejects(createApp({ dev: true }, both), { message: /^tls: a server that is handed in/ });
});

t.test('certificate / looked at before and after its end → good until then', async (t) => {
  const validUntil = checkTls(pairOf(certificate), Date.now());
  t.ok(validUntil.getTime() > Date.now());
  t.same(checkTls(pairOf(certificate), validUntil.getTime() - 1), validUntil);
  t.throws(() => checkTls(pairOf(certificate), validUntil.getTime()), OptionsError);
});

t.test('createApp / a key that is locked, and its passphrase → serves', async (t) => {
  const on = await appOn(t, {}, { tls: { ...pairOf(locked), passphrase: PASSPHRASE } });
  t.equal((await askHttps(on.url, locked.cert, '/livez')).status, 200);
});

t.test('replaceCertificate / while it serves → new connections see it, open ones go on', async (t) => {
  const on = await appOn(t, {}, { tls: pairOf(certificate) });
  const { ask } = await http2Client(t, on.url, certificate.cert);
  await ask('/livez');
  const before = await shownAt(t, on.port);
  t.ok(replaceCertificate(on.app, pairOf(other)).getTime() > Date.now());
  t.not(await shownAt(t, on.port), before);
  t.equal((await ask('/livez')).status, 200);
  t.equal((await askHttps(on.url, other.cert, '/livez')).status, 200);
  const after = await http2Client(t, on.url, other.cert);
  t.equal((await after.ask('/livez')).status, 200, 'and HTTP/2 is still on offer');
  t.throws(() => replaceCertificate(on.app, pairOf(expired)), OptionsError);
  t.equal((await askHttps(on.url, other.cert, '/livez')).status, 200, 'the last good one stays');
});

t.test('replaceCertificate / on an application without TLS → says so', async (t) => {
  const { app } = await appOn(t);
  t.throws(() => replaceCertificate(app, pairOf(other)), { message: /was not made with tls/ });
});

t.test('command / a certificate that can not be served with → one line, exit 2', async (t) => {
  const { certFile, keyFile } = certificate;
  const table: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
    'no key': [['--tls-cert', certFile], /tls\.key: missing: it is needed together with tls\.cert$/m],
    'no certificate': [['--tls-key', keyFile], /tls\.cert: missing: it is needed together with tls\.key$/m],
    'a file that is not there': [
      ['--tls-cert', certFile, '--tls-key', '/nowhere/key.pem'],
      /tls\.key: \/nowhere\/key\.pem can't be read \(ENOENT\)$/m,
    ],
    'the key of another': [
      ['--tls-cert', certFile, '--tls-key', other.keyFile],
      /tls\.key: it does not belong/,
    ],
    'one that has expired': [
      ['--tls-cert', expired.certFile, '--tls-key', expired.keyFile],
      /tls\.cert: it has expired/,
    ],
  };
  for (const [name, [args, line]] of Object.entries(table)) {
    await t.test(name, async (t) => {
      failsWith(t, await earshot({ args: ['serve', '--dev', '--port', '0', ...args] }), 2, line);
    });
  }
  await t.test('the key itself instead of its path → is not shown', async (t) => {
    const env = { EARSHOT_TLS_CERT: certFile, EARSHOT_TLS_KEY: secret(String(certificate.key)) };
    const failed = await earshot({ args: ['serve', '--dev', '--port', '0'], env });
    failsWith(t, failed, 2, /tls\.key: it is the path of a file, not what the file holds$/m);
  });
});

t.test('command / with settings of TLS → shown by config, but for the passphrase', async (t) => {
  const env = {
    EARSHOT_TLS_CERT: locked.certFile,
    EARSHOT_TLS_KEY: locked.keyFile,
    EARSHOT_TLS_PASSPHRASE: PASSPHRASE,
  };
  const { stdout } = await earshot({ args: ['config', '--dev', '--json'], env });
  t.match(JSON.parse(stdout), {
    'tls.cert': { value: locked.certFile, from: 'env EARSHOT_TLS_CERT' },
    'tls.key': { value: locked.keyFile, from: 'env EARSHOT_TLS_KEY' },
    'tls.passphrase': { value: '••••', from: 'env EARSHOT_TLS_PASSPHRASE' },
  });
});

t.test(
  'command / SIGHUP → serves with what the files hold now; the old one where that is wrong',
  async (t) => {
    const dir = t.testdir({});
    const [certFile, keyFile] = [`${dir}/cert.pem`, `${dir}/key.pem`];
    const put = (from: typeof certificate) => {
      copyFileSync(from.certFile, certFile);
      copyFileSync(from.keyFile, keyFile);
    };
    put(certificate);
    const env = { ...CLEAN, EARSHOT_TLS_CERT: certFile, EARSHOT_TLS_KEY: keyFile };
    const server = await startServer(t, { env });
    const ready = `Earshot is ready: open ${server.url}/\n`;
    t.match(server.url, /^https:/);
    await eventually('the address', () => server.stdout().includes(ready));
    const { ask } = await http2Client(t, server.url, certificate.cert);
    const first = await shownAt(t, server.port);
    put(other);
    server.child.kill('SIGHUP');
    await eventually('the other certificate', async () => (await shownAt(t, server.port)) !== first);
    t.equal((await askHttps(server.url, other.cert, '/livez')).status, 200);
    writeFileSync(certFile, 'half a file');
    server.child.kill('SIGHUP');
    const fault = 'the old one stays: tls.cert: it is no certificate in PEM';
    await eventually('the fault in the log', () => server.stdout().includes(fault));
    t.equal((await askHttps(server.url, other.cert, '/livez')).status, 200);
    t.equal((await ask('/livez')).status, 200, 'the first connection is still there');
    t.match(await server.stop(), { code: 0, signal: null });
  },
);
