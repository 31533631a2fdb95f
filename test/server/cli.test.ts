import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { peer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import type { ProcessResult, RunningServer, ServerOptions } from '../support/spawn.js';
import { freePort, ROOT, runProcess, startServer } from '../support/spawn.js';
import { ours } from './scene.js';

/** Of the machine that the test runs on, nothing gets through. */
const CLEAN = {
  NODE_ENV: undefined,
  HOST: undefined,
  PORT: undefined,
  LOG_LEVEL: undefined,
  EARSHOT_CONFIG: undefined,
  EARSHOT_STORE: undefined,
  EARSHOT_ORIGINS: undefined,
  EARSHOT_TOKEN_SECRET: undefined,
};
const SECRET = secret('a secret of the tests that is longer than 32 bytes');

interface Run {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Runs the command to its end. What it should refuse to run is ended by the time limit, and told by its signal. */
function earshot({ args = [], env = {} }: Run): Promise<ProcessResult> {
  return runProcess('node', ['dist/cli.js', ...args], { env: { ...CLEAN, ...env } });
}

function start(t: Test, { args = [], env = {} }: Run): Promise<RunningServer> {
  const options: ServerOptions = { command: ['serve'], args, env: { ...CLEAN, ...env } };
  return startServer(t, options);
}

/** One line on stderr, nothing else, and the code. */
function failsWith(
  t: Test,
  { code, signal, stdout, stderr }: ProcessResult,
  expected: number,
  line: RegExp,
): void {
  t.strictSame({ code, signal, stdout }, { code: expected, signal: null, stdout: '' });
  t.match(stderr, line);
  t.equal(stderr.split('\n').length, 2, 'one line');
  t.notMatch(stderr, /\n\s+at /, 'no stack');
}

t.test('port / in use → one line, exit 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const line = new RegExp(`^earshot: port ${port} of 127\\.0\\.0\\.1 is in use: .*--port or PORT\n$`);
  failsWith(t, await earshot({ args: ['--dev'], env: { PORT: port } }), 1, line);
});

t.test('setting / one that can not be → one line that names it, exit 2', async (t) => {
  const dir = t.testdir({ 'config.json': '{"dev":true,"limits":{"maxSpeed":1}}' });
  const table: Record<string, readonly [Run, RegExp]> = {
    'a bad PORT': [{ args: ['--dev'], env: { PORT: 'http' } }, /^earshot: port: /],
    'a file with an unknown limit': [
      { args: ['--config', `${dir}/config.json`] },
      /^earshot: limits: unknown option maxSpeed$/m,
    ],
    'no token and no development mode': [{ args: ['--port', '0'] }, /^earshot: nobody could connect/],
    'development mode on every address': [
      { args: ['--dev', '--host', '0.0.0.0'] },
      /0\.0\.0\.0 is not loopback: .*--allow-public-dev/,
    ],
  };
  for (const [name, [run, line]] of Object.entries(table)) {
    await t.test(name, async (t) => failsWith(t, await earshot(run), 2, line));
  }
});

t.test('flag / one that there is not → exit 2, and what there is', async (t) => {
  const { code, stderr, stdout } = await earshot({ args: ['serve', '--speed', '9'] });
  t.strictSame([code, stdout], [2, '']);
  t.match(stderr, /unknown option '--speed'/);
  t.notMatch(stderr, /\n\s+at /);
});

t.test('--help and --version → told on stdout, exit 0', async (t) => {
  const help = await earshot({ args: ['serve', '--help'] });
  t.strictSame([help.code, help.stderr], [0, '']);
  for (const flag of ['--dev', '--port', '--host', '--config', '--allow-public-dev'])
    t.match(help.stdout, flag);
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  t.match(await earshot({ args: ['--version'] }), { code: 0, stdout: `${version}\n`, stderr: '' });
});

t.test('development mode / --allow-public-dev → runs where it would be refused', async (t) => {
  const args = ['--dev', '--allow-public-dev', '--host', '0.0.0.0', '--port', '0'];
  const { port, stdout, stop } = await start(t, { args, env: { NODE_ENV: 'production' } });
  t.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200);
  t.match(stdout(), 'DEVELOPMENT MODE');
  t.match(await stop(), { code: 0 });
});

t.test('token / by the environment → nobody gets in without; the secret is told nowhere', async (t) => {
  const env = {
    EARSHOT_TOKEN_SECRET: SECRET,
    EARSHOT_ORIGINS: 'https://a.example, https://b.example',
    LOG_LEVEL: 'trace',
    PORT: String(await freePort()),
  };
  const { port, url, stdout, stderr, stop } = await start(t, { env });
  t.equal(port, Number(env.PORT));
  t.equal((await fetch(`${url}/v1/session`)).status, 401);
  const raw = await rawConnect(t, port);
  await raw.send(ours({ headers: { origin: 'https://b.example' } }));
  t.equal((await raw.response()).status, 401, 'the Origin is on the list, the token is missing');
  const foreign = await rawConnect(t, port);
  await foreign.send(ours({ headers: { origin: 'https://c.example' } }));
  t.equal((await foreign.response()).status, 403);
  t.match(await stop(), { code: 0 });
  t.notOk((stdout() + stderr()).includes(SECRET));
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`signal / ${signal} with clients connected → bye, 1012, exit 0`, async (t) => {
    const server = await start(t, { args: ['--dev', '--port', '0'] });
    const client = await peer(t, `ws://127.0.0.1:${server.port}/ws`);
    await client.next('welcome');
    const deaf = await rawConnect(t, server.port);
    await deaf.send(ours());
    await deaf.response();
    const ended = server.stop(signal);
    t.match(await client.next('bye'), { code: 'draining', advice: 'retry' });
    t.match(await client.closed, { code: 1012 });
    t.strictSame(await ended, { code: 0, signal: null });
    t.equal(server.stderr(), '');
  });
}

t.test('signal / a second one while it drains → ends at once', async (t) => {
  const dir = t.testdir({ 'slow.json': '{"dev":true,"port":0,"closeTimeoutMs":25000}' });
  const server = await start(t, { args: ['--config', `${dir}/slow.json`] });
  const client = await peer(t, `ws://127.0.0.1:${server.port}/ws`);
  await client.next('welcome');
  const deaf = await rawConnect(t, server.port);
  await deaf.send(ours());
  await deaf.response();
  const ended = server.stop();
  await client.next('bye');
  await server.stop();
  const { code, signal } = await ended;
  t.equal(signal, null);
  t.equal(code, 1, 'the drain did not end in order');
});
