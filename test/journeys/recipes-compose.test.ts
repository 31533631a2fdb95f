import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { parse } from 'yaml';
import { eventually } from '../support/app.js';
import { startChild } from '../support/child.js';
import { build, dockerfileFaults, PATIENT_NPM } from '../support/dockerfile.js';
import type { Environment } from '../support/recipe-nodes.js';
import { folderFor, OPEN, recipeRedis, secretFile, settingsWith } from '../support/recipe-nodes.js';
import { part, replaced } from '../support/recipes.js';
import { freePort, ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Environment;
  readonly volumes?: readonly (string | { readonly source: string })[];
  readonly networks?: { readonly default: { readonly ipv4_address?: string } };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly secrets?: readonly { readonly source: string }[];
}
/** What Compose makes of the recipe's file. */
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const RECIPE = 'docs/recipes/docker-compose.md';
/** Some user who is not root; it is who runs the tests where those are not root's, or Node is in a folder that is root's alone. */
const OTHER = { uid: 1000, gid: 1000 };
const USER = process.getuid?.() === 0 && spawnSync('node', ['-v'], OTHER).status === 0 ? OTHER : {};
const MARGIN_MS = 5000;

const FILES = {
  Dockerfile: part('docker-compose', 'dockerfile'),
  '.dockerignore': part('docker-compose', 'text dockerignore'),
  'compose.yaml': part('docker-compose', 'yaml'),
  'nginx.conf': part('two-nodes', 'nginx'),
  'redis.conf': part('two-nodes', 'text redis.conf'),
  'users.acl': part('two-nodes', 'text users.acl'),
};

/** The folder that the recipe describes. */
async function project(t: Test, files: Readonly<Record<string, string>> = FILES): Promise<string> {
  const folder = folderFor(t, 'compose');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { code, stderr } = await runProcess('sh', ['-ec', part('docker-compose', 'sh secrets')], {
    cwd: folder,
  });
  if (code !== 0) throw new Error(stderr);
  return folder;
}

/** Has Compose check a file, and gives back what it makes of it. */
async function check(folder: string): Promise<{ readonly fault: string; readonly compose: Compose }> {
  const args = ['--project-directory', folder, '-f', join(folder, 'compose.yaml'), 'config'];
  const { code, stdout, stderr } = await runProcess(tool('compose'), args, { cwd: folder });
  return { fault: code === 0 ? '' : stderr, compose: parse(stdout) };
}

t.test(`${RECIPE} / compose.yaml → Compose has nothing against it`, async (t) => {
  const { fault, compose } = await check(await project(t));
  t.equal(fault, '');
  t.strictSame(Object.keys(compose.services).sort(), ['earshot-1', 'earshot-2', 'nginx', 'redis']);
});

t.test('compose.yaml / mistakes → are told', async (t) => {
  const faultOf = async (from: string, to: string) => {
    const text = replaced(FILES['compose.yaml'], { [from]: to });
    return (await check(await project(t, { ...FILES, 'compose.yaml': text }))).fault;
  };
  t.match(await faultOf('stop_grace_period', 'stop_grace_periods'), /stop_grace_periods/);
  t.match(await faultOf('init: true', 'init: [true]'), /init/);
  t.match(await faultOf('redis: { condition:', 'rediss: { condition:'), /rediss/);
});

t.test(`${RECIPE} / what names something → finds it`, async (t) => {
  const folder = await project(t);
  const { services, secrets } = (await check(folder)).compose;
  for (const [name, { file }] of Object.entries(secrets)) t.ok(readFileSync(file, 'utf8').trim(), name);
  for (const { volumes = [] } of Object.values(services)) {
    for (const volume of volumes) {
      const source = typeof volume === 'string' ? volume.split(':')[0] : volume.source;
      if (source?.startsWith('/')) t.ok(statSync(source).isFile(), source);
    }
  }
  const wanted = Object.values(services).flatMap((service) => service.secrets ?? []);
  t.strictSame([...new Set(wanted.map(({ source }) => source))].sort(), Object.keys(secrets).sort());
  const address = (name: string) => services[name]?.networks?.default.ipv4_address;
  const servers = [...FILES['nginx.conf'].matchAll(/server (\S+):8080 /g)].map(([, host]) => host);
  t.strictSame(servers, [address('earshot-1'), address('earshot-2')]);
  for (const name of ['earshot-1', 'earshot-2']) {
    const { environment = {}, secrets: given = [] } = services[name] ?? {};
    t.equal(environment['EARSHOT_TRUST_PROXY'], address('nginx'));
    const paths = Object.entries(environment).filter(([variable]) => variable.endsWith('_FILE'));
    t.strictSame(
      paths.map(([, path]) => path).sort(),
      given.map(({ source }) => `/run/secrets/${source}`).sort(),
    );
  }
});

t.test(`${RECIPE} / its numbers → leave the drain its time, and Redis for the last`, async (t) => {
  const { services } = (await check(await project(t))).compose;
  for (const name of ['earshot-1', 'earshot-2']) {
    const { environment = {}, stop_grace_period = '10s', depends_on = {} } = services[name] ?? {};
    const settings = await settingsWith(environment);
    t.ok(Number.parseInt(stop_grace_period, 10) * 1000 >= settings('drainTimeoutMs') + MARGIN_MS);
    t.match(depends_on['redis'], { condition: 'service_healthy' });
    t.match(services['nginx']?.depends_on?.[name], { condition: 'service_healthy' });
  }
});

t.test(
  `${RECIPE} / the secrets → are for root alone on the machine, and for all in a container`,
  async (t) => {
    const folder = join(await project(t), 'secrets');
    t.equal(statSync(folder).mode & 0o777, 0o700);
    t.strictSame(readdirSync(folder).sort(), ['redis-users', 'store', 'token-secret']);
    for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o777, 0o444, name);
    const password = /earshot:(\w{48})@redis:6379/.exec(readFileSync(join(folder, 'store'), 'utf8'))?.[1];
    t.match(readFileSync(join(folder, 'redis-users'), 'utf8'), `>${password} `);
  },
);

t.test(`${RECIPE} / Dockerfile → its linter has nothing against it, and finds a mistake`, async (t) => {
  t.strictSame(dockerfileFaults(FILES.Dockerfile), []);
  t.match(dockerfileFaults(replaced(FILES.Dockerfile, { 'USER node': 'USERS node' })), [
    /Unknown instruction/,
  ]);
});

/** Its `package.json` and lockfile, with this Earshot as it would be published. */
async function withPackage(folder: string): Promise<void> {
  const npm = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runProcess('npm', args, { cwd: folder, env: PATIENT_NPM });
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const packed = await npm('pack', '--silent', '--ignore-scripts', '--pack-destination', folder, ROOT);
  const dependencies = { earshot: `file:${join(folder, packed)}` };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await npm('install', '--package-lock-only');
}

t.test(
  `${RECIPE} / the image, carried out here → serves as another user who may write nothing; its health is that of its Redis`,
  async (t) => {
    const folder = await project(t);
    await withPackage(folder);
    const image = await build(FILES.Dockerfile, folder, folderFor(t, 'image'));
    const { environment = {}, healthcheck } = (await check(folder)).compose.services['earshot-1'] ?? {};
    const [redis, port] = [await recipeRedis(t), await freePort()];
    const here = {
      HOST: '127.0.0.1',
      PORT: String(port),
      HOME: '/nowhere',
      TMPDIR: '/nowhere',
      EARSHOT_STORE_FILE: secretFile(t, redis.address),
      EARSHOT_TOKEN_SECRET_FILE: secretFile(
        t,
        readFileSync(join(folder, 'secrets/token-secret'), 'utf8').trim(),
      ),
    };
    const args = ['-u', 'NODE_OPTIONS', ...image.command]; // what tap loads by it writes files as a process ends
    const env = { ...image.env, ...environment, ...OPEN, ...here };
    const child = await startChild(t, 'env', args, { cwd: image.folder, env, isServer: true, ...USER });
    const [, ...test] = healthcheck?.test ?? [];
    const health = async () => {
      const [file = '', ...more] = test.map((text) => text.replace(':8080', `:${port}`));
      return (await runProcess(file, more)).code;
    };
    await eventually('healthy', async () => (await health()) === 0);
    t.equal((await fetch(`http://127.0.0.1:${port}/v1/stream/news`, { method: 'PUT' })).status, 201);
    await redis.stop('SIGKILL');
    await eventually('unhealthy', async () => (await health()) === 1);
    await redis.start();
    await eventually('healthy again', async () => (await health()) === 0);
    t.equal(image.user, 'node');
    t.strictSame(await child.stop('SIGTERM'), { code: 0, signal: null });
  },
);

t.test(
  `${RECIPE} / the health of Redis → what its user \`health\` is told, who may do nothing else`,
  async (t) => {
    const { healthcheck } = (await check(await project(t))).compose.services['redis'] ?? {};
    const redis = await recipeRedis(t);
    const cli = `${tool('redis').replace(/server$/, 'cli')} -p ${redis.port}`;
    const [shell, text = ''] = healthcheck?.test ?? [];
    t.equal(shell, 'CMD-SHELL');
    const ask = async (command: string) =>
      (await runProcess('sh', ['-c', replaced(command, { 'redis-cli': cli })])).code;
    t.equal(await ask(text), 0);
    t.equal(await ask(replaced(text, { ' ping ': ' get earshot:format ', PONG: 'NOPERM' })), 0);
    t.equal(await ask(replaced(text, { '--user health ': '', PONG: 'NOAUTH' })), 0, 'nobody else is let in');
    await redis.stop('SIGKILL');
    t.equal(await ask(text), 1);
  },
);
