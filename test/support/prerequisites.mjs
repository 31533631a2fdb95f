import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * What the tests need beyond npm: where it may be found, how it shows that it works, and its Debian package.
 * A candidate without a slash is looked for on PATH.
 */
const NEEDS = {
  chromium: {
    variable: 'EARSHOT_TEST_CHROMIUM',
    candidates: ['chromium', 'chromium-browser', 'google-chrome', '/usr/bin/chromium'],
    probe: ['--version'],
    package: 'chromium',
  },
  nginx: {
    variable: 'EARSHOT_TEST_NGINX',
    candidates: ['nginx', '/usr/sbin/nginx', '/usr/local/sbin/nginx'],
    probe: ['-v'],
    package: 'nginx',
  },
  caddy: {
    variable: 'EARSHOT_TEST_CADDY',
    candidates: ['caddy', '/usr/bin/caddy', '/usr/local/bin/caddy'],
    probe: ['version'],
    package: 'caddy',
  },
  haproxy: {
    variable: 'EARSHOT_TEST_HAPROXY',
    candidates: ['haproxy', '/usr/sbin/haproxy', '/usr/local/sbin/haproxy'],
    probe: ['-v'],
    package: 'haproxy',
  },
  /** It checks a file without an engine. Docker's own plugin can be named, too: it is a program that runs by itself. */
  compose: {
    variable: 'EARSHOT_TEST_DOCKER_COMPOSE',
    candidates: [
      'docker-compose',
      '/usr/bin/docker-compose',
      '/usr/libexec/docker/cli-plugins/docker-compose',
      '/usr/local/lib/docker/cli-plugins/docker-compose',
    ],
    probe: ['version'],
    package: 'docker-compose',
  },
  /** Of it, the program that checks units; it needs no system that systemd has started. */
  systemd: {
    variable: 'EARSHOT_TEST_SYSTEMD_ANALYZE',
    candidates: ['systemd-analyze', '/usr/bin/systemd-analyze'],
    probe: ['--version'],
    package: 'systemd',
  },
  /** The first `python3` on PATH need not be the one that sees Debian's packages. */
  python: {
    variable: 'EARSHOT_TEST_PYTHON',
    candidates: ['python3', '/usr/bin/python3'],
    probe: ['-c', 'import websockets'],
    package: 'python3-websockets',
  },
  curl: {
    variable: 'EARSHOT_TEST_CURL',
    candidates: ['curl', '/usr/bin/curl'],
    probe: ['--version'],
    package: 'curl',
  },
  openssl: {
    variable: 'EARSHOT_TEST_OPENSSL',
    candidates: ['openssl', '/usr/bin/openssl'],
    probe: ['version'],
    package: 'openssl',
  },
  /** A Valkey does as well: its server takes the same configuration. */
  redis: {
    variable: 'EARSHOT_TEST_REDIS',
    candidates: ['redis-server', '/usr/bin/redis-server', 'valkey-server', '/usr/bin/valkey-server'],
    probe: ['--version'],
    package: 'redis-server',
  },
};

const NAMES = Object.keys(NEEDS);
const PROBE_TIMEOUT_MS = 20_000;
const NO_SERVICES = '/usr/sbin/policy-rc.d';

/** The path of a tool that works, or undefined. What its variable says goes before what is found. */
export function findTool(name) {
  const { variable, candidates, probe } = NEEDS[name];
  const named = process.env[variable];
  const paths = named ? [named] : candidates.map(onPath);
  return paths.find((path) => path !== undefined && works(path, probe));
}

/** The environment variable that carries the path of a tool to the tests. */
export function variableOf(name) {
  return NEEDS[name].variable;
}

/** How to get what is missing, in one line. */
export function advice(names) {
  const packages = names.map((name) => NEEDS[name].package).join(' ');
  return `missing: ${names.map(label).join(', ')}. Install: sudo apt-get install --no-install-recommends ${packages}`;
}

/** The variables that tell the tests where their tools are. Throws the advice where some can't be had. */
export function prerequisites() {
  let tools = findAll();
  if (missingOf(tools).length > 0 && canInstall()) {
    install(missingOf(tools).map((name) => NEEDS[name].package));
    tools = findAll();
  }
  const missing = missingOf(tools);
  if (missing.length > 0) throw new Error(advice(missing));
  return Object.fromEntries(NAMES.map((name) => [variableOf(name), tools[name]]));
}

/** What a tool is called to a person; a variable that points at nothing good is named. */
function label(name) {
  const { variable, package: debian } = NEEDS[name];
  return process.env[variable] ? `${debian} (${variable} names one that does not work)` : debian;
}

function findAll() {
  return Object.fromEntries(NAMES.map((name) => [name, findTool(name)]));
}

function missingOf(tools) {
  return NAMES.filter((name) => tools[name] === undefined);
}

function onPath(command) {
  if (command.includes('/')) return isExecutable(command) ? command : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, command)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function works(path, probe) {
  return spawnSync(path, probe, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0;
}

function canInstall() {
  return process.getuid?.() === 0 && onPath('apt-get') !== undefined;
}

/** The lists of packages may be absent or old: they are brought up to date if the first attempt fails. */
function install(packages) {
  withoutServices(() => {
    const arguments_ = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
    if (aptGet(arguments_, 'ignore')) return;
    if (aptGet(['update', '-qq'], 'inherit')) aptGet(arguments_, 'inherit');
  });
}

/** @param {'ignore' | 'inherit'} stderr */
function aptGet(arguments_, stderr) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', arguments_, { env, stdio: ['ignore', 'ignore', stderr] }).status === 0;
}

/** Keeps what is installed meanwhile from being started as a service; a policy that is there stays as it is. */
function withoutServices(work) {
  if (existsSync(NO_SERVICES)) return work();
  writeFileSync(NO_SERVICES, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return work();
  } finally {
    rmSync(NO_SERVICES);
  }
}
