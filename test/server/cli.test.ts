import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { startChild } from '../support/child.js';
import type { Run } from '../support/command.js';
import { builtEarshot, CLEAN, COMMAND, earshot, failsWith, jsonLines } from '../support/command.js';
import { peer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import type { RunningServer, ServerOptions } from '../support/spawn.js';
import { dataFolder, freePort, ROOT, startServer } from '../support/spawn.js';
import { tool } from '../support/tools.js';
import { ours } from './scene.js';

const SECRET = secret('a secret of the tests that is longer than 32 bytes');

function start(t: Test, { args = [], env = {} }: Run): Promise<RunningServer> {
  const options: ServerOptions = { command: ['serve'], args, env: { ...CLEAN, ...env } };
  return startServer(t, options);
}

t.test('port / in use → one line, exit 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const line = new RegExp(`^earshot: port ${port} of 127\\.0\\.0\\.1 is in use: .*--port or PORT\n$`);
  const args = ['--dev', '--data', dataFolder(t)];
  failsWith(t, await builtEarshot({ args, env: { PORT: port } }), 1, line);
});

t.test('setting / one that can not be → one line that names it, exit 2', async (t) => {
  const dir = t.testdir({ 'config.json': '{"dev":true,"limits":{"maxSession":1}}' });
  const table: Record<string, readonly [Run, RegExp]> = {
    'a bad PORT': [{ args: ['--dev'], env: { PORT: 'http' } }, /^earshot: port: /],
    'a file with an unknown limit': [
      { args: ['--config', `${dir}/config.json`] },
      /^earshot: limits\.maxSession: unknown option, did you mean limits\.maxSessions\? \(file .*config\.json\)$/m,
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
  const { code, stderr, stdout } = await builtEarshot({ args: ['serve', '--speed', '9'] });
  t.strictSame([code, stdout], [2, '']);
  t.match(stderr, /unknown option '--speed'/);
  t.notMatch(stderr, /\n\s+at /);
});

t.test('command / one that there is not → exit 2, and what was meant', async (t) => {
  const line = /^earshot: there is no command "subscrib", did you mean subscribe\?\n$/;
  failsWith(t, await earshot({ args: ['subscrib'] }), 2, line);
});

t.test('--help of every command → says what it does, with an example', async (t) => {
  const { stdout } = await earshot({ args: ['--help'] });
  const commands = [...stdout.matchAll(/^ {2}(\w+) \[/gm)].map(([, name = '']) => name);
  for (const name of ['serve', 'config', 'explain', 'token', 'publish', 'subscribe']) {
    t.ok(commands.includes(name), name);
  }
  for (const name of commands.filter((each) => each !== 'help')) {
    const help = await earshot({ args: [name, '--help'] });
    t.strictSame([help.code, help.stderr], [0, ''], name);
    t.match(
      help.stdout,
      new RegExp(`Usage: earshot ${name} (?:.|\n)*Examples?:\n  \\$ .*earshot ${name}`),
      name,
    );
    t.match(help.stdout, /--verbose/);
  }
});

t.test('--verbose / with a failure → its stack as well', async (t) => {
  for (const args of [
    ['--verbose', '--port', '0'],
    ['serve', '--port', '0', '--verbose'],
  ]) {
    const { code, stdout, stderr } = await earshot({ args });
    t.strictSame([code, stdout], [2, '']);
    t.match(stderr, /^earshot: nobody could connect.*\nOptionsError: nobody(?:.|\n)*\n\s+at /);
  }
  const cwd = t.testdir({ 'earshot.config.mjs': 'function deep() { throw new Error("boom"); }\ndeep();' });
  failsWith(
    t,
    await earshot({ cwd }),
    2,
    /^earshot: the configuration file earshot\.config\.mjs can't be read: Error: boom\n$/,
  );
  t.match(
    (await earshot({ args: ['--verbose'], cwd })).stderr,
    /caused by Error: boom\n\s+at deep .*earshot\.config\.mjs/,
  );
});

t.test('file / in the working directory, with a secret from a file → runs as it says', async (t) => {
  const cwd = t.testdir({
    'earshot.config.mjs':
      "export default { port: 0, verifyClient: ({ req }) => req.headers['x-team'] === 'ours' };",
    secret: `${SECRET}\n`,
  });
  const env = { ...CLEAN, EARSHOT_TOKEN_SECRET_FILE: 'secret' };
  const server = await startServer(t, { command: [], cwd, env });
  const token = await earshot({ args: ['token', '--sub', 'ann'], env: { EARSHOT_TOKEN_SECRET: SECRET } });
  const statusOf = async (team: string) => {
    const headers = { authorization: `Bearer ${token.stdout.trim()}`, 'x-team': team };
    return (await fetch(`${server.url}/v1/session`, { headers })).status;
  };
  t.equal(await statusOf('ours'), 200);
  t.equal(await statusOf('theirs'), 403, 'the hook of the file has a say');
});

t.test('log / stdout is no terminal → lines of JSON; unless it is set otherwise', async (t) => {
  const json = await start(t, { args: ['--dev', '--port', '0', '--log-level', 'info'] });
  await json.stop(); // what is logged is written a little later
  const lines = json
    .stdout()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  t.match(jsonLines(lines.join('\n')), [{ level: 30, msg: /^Server listening at/ }]);
  const pretty = await start(t, {
    args: ['--dev', '--port', '0', '--log-level', 'info', '--log-format', 'pretty'],
  });
  await pretty.stop();
  t.match(pretty.stdout(), /^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*: .*Server listening at/m);
  t.notMatch(pretty.stdout(), '"msg"');
});

t.test('log / stdout is a terminal → lines for people, the last ones too', async (t) => {
  const args = [COMMAND, 'serve', '--dev', '--port', '0', '--log-level', 'info', '--data', dataFolder(t)];
  const spawn = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  const env = { HOST: '127.0.0.1', LOG_LEVEL: 'info' };
  const child = await startChild(t, tool('python'), ['-c', spawn, process.execPath, ...args], { env });
  await child.says(/INFO.*Server listening at/);
  await child.says(/Earshot is ready/);
  child.write('\u0003');
  await child.says(/INFO.*draining/);
  t.equal((await child.ended).code, 0);
  t.notMatch(child.said(), '"msg"');
});

t.test('--help and --version → told on stdout, exit 0', async (t) => {
  const help = await builtEarshot({ args: ['serve', '--help'] });
  t.strictSame([help.code, help.stderr], [0, '']);
  for (const flag of ['--dev', '--port', '--host', '--config', '--allow-public-dev'])
    t.match(help.stdout, flag);
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  t.match(await builtEarshot({ args: ['--version'] }), { code: 0, stdout: `${version}\n`, stderr: '' });
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

t.test('token / a secret that can be guessed, of an issuer too → the log warns, without it', async (t) => {
  const [enough, weak] = ['a secret of 32 bytes, just right', 'a secret of 31 bytes, too short'];
  const token = (secret: string | readonly string[], ofIssuer: string) =>
    JSON.stringify({ port: 0, token: { secret, issuers: [{ issuer: 'a', secret: ofIssuer }] } });
  const dir = t.testdir({
    'strong.json': token([SECRET, `${SECRET}, too`], SECRET),
    'second.json': token([SECRET, weak], SECRET),
    'issuer.json': token(SECRET, weak),
    'enough.json': token(enough, SECRET),
  });
  for (const [file, warns] of Object.entries({ strong: false, second: true, issuer: true, enough: false })) {
    const { stdout, stop } = await start(t, { args: ['--config', `${dir}/${file}.json`] });
    t.match(await stop(), { code: 0 });
    t.equal(stdout().includes('a token secret is shorter than 32 bytes'), warns, file);
    t.notMatch(stdout(), weak);
  }
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

t.test(
  'crash / an error that nobody catches → the clients are told goodbye, one line of the log, exit 1',
  async (t) => {
    const hook = "onPublish: () => void setImmediate(() => { throw new Error('the host is broken'); })";
    const dir = t.testdir({
      'earshot.config.mjs': `export default { dev: true, port: 0, drainDelayMs: 20_000, hooks: { ${hook} } };`,
    });
    const server = await start(t, {
      args: ['--config', `${dir}/earshot.config.mjs`, '--log-level', 'fatal'],
    });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => peer(t, `ws://127.0.0.1:${server.port}/ws`)),
    );
    for (const client of clients) await client.next('welcome');
    clients[0]?.sendRaw('{"type":"publish","id":1,"channel":"a","data":1}');
    for (const client of clients) {
      t.match(await client.next('bye'), { code: 'draining', advice: 'retry' });
      t.match(await client.closed, { code: 1012 });
    }
    const { code, signal } = await server.stop('SIGCONT');
    t.strictSame({ code, signal }, { code: 1, signal: null });
    t.equal(server.stdout().split('the host is broken').length - 1 > 0, true, 'it is logged');
    t.equal(server.stderr(), '');
  },
);

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
