import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './child.js';
import { startChild } from './child.js';
import type { Teardown } from './spawn.js';
import { freePort } from './spawn.js';
import { tool } from './tools.js';

/** A real proxy in the foreground, on a free port; everything it writes stays in a folder that ends with the test. */
export interface RunningProxy {
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly host: string;
  /** Where it keeps its files. */
  readonly folder: string;
  start(): Promise<void>;
  /** Has it read its configuration again. Resolves when the new one holds. */
  reload(): Promise<void>;
  /** Kills it and all of its workers at once. */
  kill(): Promise<void>;
}

/** The configuration, for the port to listen on. */
export type Configure = (port: number) => string;

const SIGNAL_EVERY_MS = 3000;

/** nginx with one server that has this location. */
export function nginxOn(t: Teardown, location: string): Promise<RunningProxy> {
  return nginxWith(t, (port) => `server { listen 127.0.0.1:${port};\n${location}\n}`);
}

/** nginx with this in its `http`. */
export async function nginxWith(t: Teardown, configure: Configure): Promise<RunningProxy> {
  const [folder, port] = [folderOf(t, 'nginx'), await freePort()];
  mkdirSync(join(folder, 'temp'));
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const lines = [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'worker_processes 1;',
    `pid ${folder}/nginx.pid;`,
    'error_log stderr notice;',
    'events {}',
    'http {',
    'access_log off;',
    ...paths.map((name) => `${name}_temp_path ${folder}/temp/${name};`),
    configure(port),
    '}',
    '',
  ];
  writeFileSync(join(folder, 'nginx.conf'), lines.join('\n'));
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'];
  const works = async (child: Child) => void (await child.says(/start worker process \d+\n/)); // it listens since before
  return proxyOf(
    { folder, port },
    () => startChild(t, tool('nginx'), args),
    works,
    async (child) => {
      process.kill(child.pid, 'SIGHUP');
      await works(child);
    },
  );
}

/** Caddy with these sites. */
export async function caddyWith(t: Teardown, configure: Configure): Promise<RunningProxy> {
  const [folder, port] = [folderOf(t, 'caddy'), await freePort()];
  const file = join(folder, 'Caddyfile');
  const admin = `unix/${folder}/admin.sock`;
  const options = [
    '{',
    `  admin ${admin}`,
    '  grace_period 100ms',
    '  auto_https disable_redirects', // they would need port 80
    '  skip_install_trust',
    '}',
  ];
  writeFileSync(file, [...options, configure(port)].join('\n'));
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const run = (command: string, ...more: readonly string[]) =>
    startChild(t, tool('caddy'), [command, '--config', file, '--adapter', 'caddyfile', ...more], { env });
  const works = async (child: Child) => void (await child.says(/serving initial configuration/));
  return proxyOf(
    { folder, port },
    () => run('run'),
    works,
    async () => {
      const { ended, said } = await run('reload', '--force', '--address', admin);
      const { code } = await ended;
      if (code !== 0) throw new Error(`caddy reload ended with ${code}: ${said()}`);
    },
  );
}

/** HAProxy with this configuration, as the whole. */
export async function haproxyWith(t: Teardown, configure: Configure): Promise<RunningProxy> {
  const [folder, port] = [folderOf(t, 'haproxy'), await freePort()];
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, configure(port));
  const works = async (child: Child) => void (await child.says(/Loading success/));
  return proxyOf(
    { folder, port },
    () => startChild(t, tool('haproxy'), ['-W', '-db', '-f', file]),
    works,
    async (child) => signalUntil(child, 'SIGUSR2', works),
  );
}

/** HAProxy's master misses a signal that comes before it is ready for it, and does not say when it is. */
async function signalUntil(child: Child, signal: NodeJS.Signals, works: (child: Child) => Promise<void>) {
  const timer = setInterval(() => process.kill(child.pid, signal), SIGNAL_EVERY_MS);
  process.kill(child.pid, signal);
  await works(child).finally(() => clearInterval(timer));
}

function proxyOf(
  { folder, port }: { readonly folder: string; readonly port: number },
  run: () => Promise<Child>,
  works: (child: Child) => Promise<void>,
  reload: (child: Child) => Promise<void>,
): Promise<RunningProxy> {
  let child: Child | undefined;
  const host = `127.0.0.1:${port}`;
  const proxy: RunningProxy = {
    host,
    folder,
    url: `http://${host}`,
    async start() {
      child = await run();
      await works(child);
    },
    async reload() {
      if (child !== undefined) await reload(child);
    },
    async kill() {
      await child?.stop('SIGKILL');
    },
  };
  return proxy.start().then(() => proxy);
}

function folderOf(t: Teardown, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `earshot-${name}-`));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
