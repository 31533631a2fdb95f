import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { failure, serve } from '../../src/server/serve.js';
import type { Flags } from '../../src/server/settings.js';
import { settingsFrom } from '../../src/server/settings.js';

/** What the command would say, and its exit code. It says it before it listens. */
async function failed(flags: Flags, env: NodeJS.ProcessEnv = {}) {
  try {
    await serve(settingsFrom(flags, env), () => {});
  } catch (error) {
    return failure(error);
  }
  throw new Error('it was started');
}

async function failsWith(t: Test, exitCode: number, line: RegExp, flags: Flags, env?: NodeJS.ProcessEnv) {
  const failure = await failed(flags, env);
  t.match(failure, { exitCode, line });
  t.notMatch(failure.line, /\n/, 'one line');
}

t.test('settings / one that can not be → a line that names it, exit 2', async (t) => {
  const dir = t.testdir({
    'limit.json': '{"dev":true,"limits":{"maxSpeed":1}}',
    'option.json': '{"dev":true,"sercet":"x"}',
    'list.json': '[]',
    'broken.json': '{',
    'type.json': '{"dev":"yes"}',
    'function.json': '{"dev":true,"verifyClient":"no function"}',
  });
  const table: Record<string, readonly [Flags, RegExp, NodeJS.ProcessEnv?]> = {
    'a bad PORT': [{ dev: true }, /^port: /, { PORT: 'http' }],
    'a PORT above 65535': [{ dev: true }, /^port: /, { PORT: '65536' }],
    'a port with a fraction': [{ dev: true, port: '80.5' }, /^port: /],
    'a negative port': [{ dev: true, port: '-1' }, /^port: /],
    'a bad backlog': [{ dev: true, backlog: '0' }, /^backlog: /],
    'a bad log level': [{ dev: true, logLevel: 'loud' }, /^logLevel: /],
    'a bad prefix': [{ dev: true, port: '0', prefix: 'a/' }, /^prefix: /],
    'a bad path': [{ dev: true, port: '0', path: 'ws' }, /^path: /],
    'a bad plain channel': [{ dev: true, port: '0', plainChannel: 'a b' }, /^plainChannel: /],
    'no token and no development mode': [{ port: '0' }, /^nobody could connect/],
    'an unknown store': [{ dev: true }, /^EARSHOT_STORE is "oracle"/, { EARSHOT_STORE: 'oracle' }],
    'an unknown limit': [{ config: `${dir}/limit.json` }, /^limits: unknown option maxSpeed$/],
    'an unknown option': [{}, /unknown option sercet$/, { EARSHOT_CONFIG: `${dir}/option.json` }],
    'a file that is a list': [{ config: `${dir}/list.json` }, /list\.json is not a JSON object$/],
    'a file that is broken': [{ config: `${dir}/broken.json` }, /broken\.json can't be read: /],
    'a file that is not there': [{ config: `${dir}/none.json` }, /none\.json can't be read: /],
    'a value of the wrong type': [{ config: `${dir}/type.json` }, /^dev: /],
    'a function that is none': [{ config: `${dir}/function.json` }, /^verifyClient: expected a function/],
  };
  for (const [name, [flags, line, env]] of Object.entries(table)) {
    await t.test(name, async (t) => failsWith(t, 2, line, flags, env));
  }
});

t.test('settings / development mode where others reach it → refused, unless it is meant', async (t) => {
  for (const host of [
    '0.0.0.0',
    '::',
    '192.168.0.1',
    'example.com',
    '127.0.0.1.example',
    'localhost.example',
  ]) {
    await failsWith(t, 2, /is not loopback: add --allow-public-dev/, { dev: true, host });
    await failsWith(t, 2, /is not loopback/, { dev: true }, { HOST: host });
    t.equal(settingsFrom({ dev: true, allowPublicDev: true, host }, {}).listen.host, host);
    t.equal(settingsFrom({ host }, {}).listen.host, host, 'without development mode nobody minds');
  }
  await failsWith(
    t,
    2,
    /NODE_ENV is production: add --allow-public-dev/,
    { dev: true },
    { NODE_ENV: 'production' },
  );
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1', undefined]) {
    t.ok(settingsFrom({ dev: true, ...(host && { host }) }, {}));
  }
  const dir = t.testdir({ 'dev.json': '{"dev":true,"host":"0.0.0.0"}' });
  await failsWith(t, 2, /is not loopback/, { config: `${dir}/dev.json` });
});

t.test('settings / the port or the host can not be had → exit 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  await failsWith(t, 1, /^port \d+ of 127\.0\.0\.1 is in use/, { dev: true, port, logLevel: 'silent' });
  const elsewhere = { dev: true, allowPublicDev: true, port: '0', host: '192.0.2.1', logLevel: 'silent' };
  await failsWith(t, 1, /^192\.0\.2\.1 is not an address of this machine$/, elsewhere);
});

t.test('settings / flags over environment over file over defaults → what was said nearest', async (t) => {
  const dir = t.testdir({
    'all.json':
      '{"host":"file.example","port":1,"backlog":1,"logLevel":"fatal","path":"/file","prefix":"/p","origins":["http://file"],"token":{"secret":"file","cookie":"sid"}}',
  });
  const config = `${dir}/all.json`;
  const none = settingsFrom({}, {});
  t.strictSame(none, { listen: { host: '127.0.0.1', port: 8080 }, logLevel: 'info', options: {} });
  t.equal(settingsFrom({ dev: true }, {}).logLevel, 'warn');

  const file = settingsFrom({}, { EARSHOT_CONFIG: config });
  t.strictSame(file.listen, { host: 'file.example', port: 1, backlog: 1 });
  t.match(file, { logLevel: 'fatal', options: { path: '/file', prefix: '/p', token: { secret: 'file' } } });

  const fromEnv = {
    EARSHOT_CONFIG: config,
    HOST: 'env.example',
    PORT: '2',
    LOG_LEVEL: 'error',
    EARSHOT_ORIGINS: 'http://env, http://b',
    EARSHOT_TOKEN_SECRET: 'env',
  };
  const env = settingsFrom({}, fromEnv);
  t.strictSame(env.listen, { host: 'env.example', port: 2, backlog: 1 });
  t.match(env, { logLevel: 'error', options: { path: '/file', origins: ['http://env', 'http://b'] } });
  t.strictSame(env.options.token, { secret: 'env', cookie: 'sid' }, 'the rest of the token stays');

  const flags = settingsFrom(
    {
      host: 'flag.example',
      port: '3',
      backlog: '3',
      logLevel: 'trace',
      path: '/flag',
      origin: ['http://flag'],
    },
    fromEnv,
  );
  t.strictSame(flags.listen, { host: 'flag.example', port: 3, backlog: 3 });
  t.match(flags, { logLevel: 'trace', options: { path: '/flag', prefix: '/p', origins: ['http://flag'] } });

  const other = t.testdir({ 'other.json': '{"port":9}' });
  t.equal(
    settingsFrom({ config: `${other}/other.json` }, fromEnv).options.path,
    undefined,
    'the flag names the file',
  );
});

t.test('settings / a variable that is empty → as if it were not there', async (t) => {
  const env = {
    HOST: '',
    PORT: '',
    LOG_LEVEL: '',
    EARSHOT_STORE: '',
    EARSHOT_CONFIG: '',
    EARSHOT_TOKEN_SECRET: '',
  };
  t.strictSame(settingsFrom({}, env), settingsFrom({}, {}));
  t.ok(settingsFrom({}, { EARSHOT_STORE: 'memory' }));
});
