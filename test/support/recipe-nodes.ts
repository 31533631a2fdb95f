import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMetrics } from './app.js';
import type { Child } from './child.js';
import { startChild } from './child.js';
import type { RunningProxy } from './proxies.js';
import { nginxWith } from './proxies.js';
import { part, replaced } from './recipes.js';
import { secret } from './secrets.js';
import type { Ended, Teardown } from './spawn.js';
import { COMMAND, freePort, runProcess, startServer } from './spawn.js';
import { tool } from './tools.js';

/** Redis as docs/recipes/two-nodes.md has it. */
export interface RecipeRedis {
  readonly port: number;
  /** As a node is told it, with the password. */
  readonly address: string;
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<Ended>;
}

export interface RecipeNode {
  readonly url: string;
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<Ended>;
  /** What its `/metrics` says, summed; 0 where it does not answer. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export type Environment = Readonly<Record<string, string>>;

const PASSWORD = secret('the password of Redis in tests');
const TOKEN_SECRET = secret('a secret of tests: thirty-two bytes or more');
/** So that readers without a token may do everything. */
export const OPEN = {
  EARSHOT_ANONYMOUS: 'true',
  EARSHOT_CHANNELS: '{"**":{"anonymous":["subscribe","publish","history","presence","manage"]}}',
  EARSHOT_MAX_EVENT_LOOP_DELAY_MS: '3600000',
};

export function folderFor(t: Teardown, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `earshot-${name}-`));
  chmodSync(folder, 0o755); // another user may be asked to read it
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** A file that holds this, as secrets are handed over. */
export function secretFile(t: Teardown, text: string): string {
  const path = join(folderFor(t, 'secret'), 'secret');
  writeFileSync(path, `${text}\n`);
  return path;
}

/** Starts the recipe's Redis on a free port. It ends with the test, and so does what it keeps. */
export async function recipeRedis(t: Teardown): Promise<RecipeRedis> {
  const [folder, port] = [folderFor(t, 'redis'), await freePort()];
  const users = join(folder, 'users.acl');
  writeFileSync(join(folder, 'redis.conf'), part('two-nodes', 'text redis.conf'));
  writeFileSync(users, replaced(part('two-nodes', 'text users.acl'), { 'replace-this': hexOf(PASSWORD) }));
  const here = ['--dir', folder, '--port', String(port), '--bind', '127.0.0.1', '--aclfile', users];
  let child: Child | undefined;
  const redis: RecipeRedis = {
    port,
    address: `redis://earshot:${hexOf(PASSWORD)}@127.0.0.1:${port}`,
    async start() {
      child = await startChild(t, tool('redis'), [join(folder, 'redis.conf'), ...here]);
      await child.says(/Ready to accept connections/);
    },
    async stop(signal) {
      if (child === undefined) throw new Error('it was not started');
      return child.stop(signal);
    },
  };
  await redis.start();
  return redis;
}

/** A password that needs no quoting in an address, nor in a file of users. */
function hexOf(text: string): string {
  return secret(Buffer.from(text).toString('hex'));
}

/** The numbers that `earshot serve` would have with these variables, by their names. */
export async function settingsWith(env: Environment): Promise<(name: string) => number> {
  const { code, stdout, stderr } = await runProcess(process.execPath, [COMMAND, 'config', '--json'], {
    env: {
      ...env,
      EARSHOT_STORE_FILE: undefined,
      EARSHOT_TOKEN_SECRET_FILE: undefined,
      EARSHOT_ANONYMOUS: 'true',
    },
  });
  if (code !== 0) throw new Error(stderr);
  const settings: Readonly<Record<string, { readonly value: unknown }>> = JSON.parse(stdout);
  return (name) => {
    const value = settings[name]?.value;
    if (typeof value !== 'number') throw new Error(`${name} is no number`);
    return value;
  };
}

/** The lines of a file of variables. */
export function variablesIn(text: string): Environment {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/).slice(0, 2)),
  );
}

/** A node as the recipe has it, on a port that stays its own; `env` goes on top. */
export async function recipeNode(
  t: Teardown,
  redis: RecipeRedis,
  env: Environment = {},
): Promise<RecipeNode> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const own = replaced(part('two-nodes', 'ini earshot.env'), {
    '0.0.0.0': '127.0.0.1',
    'PORT=8080': `PORT=${port}`,
    '/run/credentials/earshot.service/store': secretFile(t, redis.address),
    '/run/credentials/earshot.service/token-secret': secretFile(t, TOKEN_SECRET),
    '10.77.0.10': '127.0.0.1',
  });
  const all = { EARSHOT_DATA: undefined, ...variablesIn(own), ...OPEN, ...env };
  const start = () => startServer(t, { command: ['serve'], env: all });
  let server = await start();
  return {
    url,
    async start() {
      server = await start();
    },
    stop: (signal) => server.stop(signal),
    metric: (name, labels) => sumOf(url, name, labels ?? {}),
  };
}

async function sumOf(url: string, name: string, labels: Environment): Promise<number> {
  const text = await fetch(`${url}/metrics`).then(
    (response) => response.text(),
    () => '', // it has ended
  );
  return parseMetrics(text)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/** nginx as the recipe has it, before these two. */
export function recipeNginx(
  t: Teardown,
  [first, second]: readonly [RecipeNode, RecipeNode],
): Promise<RunningProxy> {
  return nginxWith(t, (port) =>
    replaced(part('two-nodes', 'nginx'), {
      'listen 80;': `listen 127.0.0.1:${port};`,
      '10.77.0.11:8080': new URL(first.url).host,
      '10.77.0.12:8080': new URL(second.url).host,
    }),
  );
}
