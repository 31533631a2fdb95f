import { readFileSync } from 'node:fs';
import { decodeJwt, exportSPKI, generateKeyPair } from 'jose';
import t from 'tap';
import { earshot, failsWith } from '../support/command.js';
import { secret } from '../support/secrets.js';
import { ROOT } from '../support/spawn.js';

const SECRET = secret('a secret of the tests that is longer than 32 bytes');
const env = { EARSHOT_TOKEN_SECRET: SECRET };

async function tokenOf(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await earshot({ args: ['token', ...args], env });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

t.test('config / what is in force → a line each, with where it was said; no secret', async (t) => {
  const cwd = t.testdir({ 'earshot.config.json': '{"limits":{"maxSessions":5}}' });
  const args = ['config', '--ping-interval-ms', '7', '--origin', 'https://a.example'];
  const run = { args, env: { ...env, PORT: '1' }, cwd };
  const { code, stdout, stderr } = await earshot(run);
  t.strictSame([code, stderr], [0, '']);
  t.match(stdout, /^port +env PORT +1$/m);
  t.match(stdout, /^host +default +127\.0\.0\.1$/m);
  t.match(stdout, /^pingIntervalMs +flag --ping-interval-ms +7$/m);
  t.match(stdout, /^limits\.maxSessions +file earshot\.config\.json +5$/m);
  t.match(stdout, /^origins +flag --origins +\["https:\/\/a\.example"\]$/m);
  t.match(stdout, /^token\.secret +env EARSHOT_TOKEN_SECRET +••••$/m);
  t.notOk(stdout.includes(SECRET));

  const json = await earshot({ ...run, args: [...args, '--json'] });
  const found = JSON.parse(json.stdout);
  t.strictSame(found.port, { value: 1, from: 'env PORT' });
  t.strictSame(found['token.secret'], { value: '••••', from: 'env EARSHOT_TOKEN_SECRET' });
  t.strictSame(found.backlog, { value: null, from: 'default' });
});

t.test('config / what can not be, alone or together → exit 2, in words', async (t) => {
  failsWith(t, await earshot({ args: ['config'] }), 2, /^earshot: nobody could connect/);
  const two = await earshot({
    args: ['config', '--dev', '--port', 'x'],
    env: { EARSHOT_LIMITS_MAX_CHANNELS: '0' },
  });
  failsWith(
    t,
    two,
    2,
    /^earshot: port: .*\(flag --port\); limits\.maxChannels: .*\(env EARSHOT_LIMITS_MAX_CHANNELS\)\n$/,
  );
  const tie = { args: ['config', '--dev'], env: { EARSHOT_CHANNELS: '{"a/*":{},"*/b":{}}' } };
  failsWith(t, await earshot(tie), 2, /^earshot: channels: .*equally specific/);
});

t.test('config --schema → the JSON Schema that the package brings', async (t) => {
  const { code, stdout } = await earshot({
    args: ['config', '--schema'],
    env: { EARSHOT_NO_SUCH: 'ignored here' },
  });
  t.equal(code, 0);
  t.match(JSON.parse(stdout), {
    type: 'object',
    properties: { port: { type: 'integer' } },
    additionalProperties: false,
  });
  t.equal(readFileSync(`${ROOT}dist/earshot.config.schema.json`, 'utf8'), stdout);
});

const channels = {
  'chat/*': {
    anonymous: ['subscribe'],
    maxMessageBytes: 100,
    publishesPerSecond: 2,
    flushMs: 5,
    retention: { messages: 3 },
  },
  'quiet/*': { presence: false, create: 'server', schema: { type: 'object' } },
  'user/{sub}/**': {},
};
const table = { ...env, EARSHOT_CHANNELS: JSON.stringify(channels) };

t.test('explain / each action → whether, and by which line; what else holds', async (t) => {
  const { code, stdout, stderr } = await earshot({ args: ['explain', 'chat/room'], env: table });
  t.strictSame([code, stderr], [0, '']);
  t.match(stdout, /^caller +anonymous$/m);
  t.match(stdout, /^connect +no: anonymous is false$/m);
  t.match(stdout, /^subscribe +yes: channels\["chat\/\*"\]\.anonymous$/m);
  t.match(
    stdout,
    /^publish +no: channels\["chat\/\*"\]\.anonymous does not name it, and there is no token$/m,
  );
  t.match(stdout, /^retention +3 messages, 86400000 ms, 8388608 bytes$/m);
  t.match(stdout, /^manage +no: channels\["chat\/\*"\]\.anonymous does not name it/m);
  t.match(stdout, /^create +by a publish command, or a PUT of who may manage$/m);
  t.match(stdout, /^maxMessageBytes +100$/m);
  t.match(stdout, /^publishesPerSecond +2$/m);
  t.match(stdout, /^flushMs +5$/m);

  const explained = async (...args: readonly string[]) =>
    JSON.parse((await earshot({ args: ['explain', '--json', ...args], env: table })).stdout);
  t.match(await explained('quiet/a', '--user', 'ann'), {
    pattern: 'quiet/*',
    caller: { user: 'ann', name: 'ann' },
    connect: { may: true },
    actions: {
      publish: { may: true, because: 'channels["quiet/*"].authenticated' },
      presence: { may: false, because: 'channels["quiet/*"].presence is off' },
      manage: { may: false, because: 'channels["quiet/*"].authenticated does not name it' },
    },
    presence: false,
    create: 'server',
    hasSchema: true,
    maxMessageBytes: null,
  });
  t.match(await explained('user/ann/inbox', '--user', 'ann'), { actions: { publish: { may: true } } });
  t.match(await explained('user/ann/inbox', '--user', 'bob'), {
    actions: { publish: { may: false, because: 'channels["user/{sub}/**"] is for another user' } },
  });
});

t.test(
  'explain --token / from the command line or stdin → as its caller; one that is not good → exit 1',
  async (t) => {
    const token = await tokenOf('--sub', 'ann', '--name', 'Ann', '--channel', 'chat/*=publish');
    for (const [value, input] of [[token, ''] as const, ['-', `${token}\n`] as const]) {
      const args = ['explain', 'chat/room', '--json', '--token', value];
      const { code, stdout } = await earshot({ args, input, env: table });
      t.equal(code, 0);
      t.match(JSON.parse(stdout), {
        caller: { user: 'ann', name: 'Ann' },
        actions: { subscribe: { may: true } },
      });
    }
    const bad = { args: ['explain', 'chat/room', '--token', `${token}x`], env: table };
    failsWith(t, await earshot(bad), 1, /^earshot: unauthenticated: /);
    failsWith(
      t,
      await earshot({ args: ['explain', 'a b'], env: table }),
      2,
      /^earshot: "a b" is not the name of a channel\n$/,
    );
    const both = await earshot({ args: ['explain', 'a', '--token', token, '--user', 'ann'], env: table });
    t.strictSame([both.code, both.stdout], [2, '']);
  },
);

t.test('token / what is asked for → the claims, signed; nothing else on stdout', async (t) => {
  const bare = decodeJwt(await tokenOf('--sub', 'ann'));
  t.strictSame(Object.keys(bare).sort(), ['exp', 'iat', 'sub']);
  t.equal((bare.exp ?? 0) - (bare.iat ?? 0), 3600);
  const rich = [
    '--sub',
    'ann',
    '--name',
    'Ann',
    '--expires-in',
    '2d',
    '--jti',
    '--issuer',
    'us',
    '--audience',
    'web',
  ];
  const channels = ['--channel', 'chat/*=subscribe,publish', '--channel', 'news=history,manage'];
  const claims = decodeJwt(await tokenOf(...rich, ...channels));
  t.match(claims, { sub: 'ann', name: 'Ann', iss: 'us', aud: 'web', jti: /^[0-9a-f-]{36}$/ });
  t.strictSame(claims['channels'], {
    'chat/*': ['subscribe', 'publish'],
    news: ['history', 'manage'],
  });
  t.equal((claims.exp ?? 0) - (claims.iat ?? 0), 172_800);
  t.equal(decodeJwt(await tokenOf('--sub', 'ann', '--jti', 'one')).jti, 'one');
});

t.test('token / issuer, audience and algorithm of the settings → what explain accepts', async (t) => {
  const cwd = t.testdir({
    'earshot.config.json': JSON.stringify({
      token: {
        algorithms: ['HS512'],
        issuer: 'us',
        audience: ['web', 'app'],
        secret: [SECRET, 'an older one'],
      },
    }),
  });
  const { stdout } = await earshot({ args: ['token', '--sub', 'ann'], cwd });
  t.match(decodeJwt(stdout.trim()), { iss: 'us', aud: 'web' });
  const explained = await earshot({ args: ['explain', 'a', '--token', '-'], input: stdout, cwd });
  t.match(explained, { code: 0, stdout: /^caller +ann \(ann\)$/m });
});

t.test('token / what it can not sign, or is typed wrong → exit 2, in words', async (t) => {
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { EARSHOT_TOKEN_PUBLIC_KEY: await exportSPKI(publicKey) };
  failsWith(
    t,
    await earshot({ args: ['token', '--sub', 'ann'], env: key }),
    2,
    /^earshot: only a public key is set: /,
  );
  failsWith(
    t,
    await earshot({ args: ['token', '--sub', 'ann', '--dev'] }),
    2,
    /^earshot: there is no secret to sign with: /,
  );
  const wrong = [
    ['token'],
    ['token', '--sub', 'ann', '--expires-in', '1 hour'],
    ['token', '--sub', 'ann', '--channel', 'chat'],
    ['token', '--sub', 'ann', '--channel', 'chat/*=shout'],
    ['token', '--sub', 'ann', '--channel', 'a b=publish'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await earshot({ args, env });
    t.strictSame([code, stdout], [2, ''], args.join(' '));
    t.match(stderr, /^error: .*(?:--sub|--expires-in|--channel)/);
  }
});

t.test('backup / of a folder that the store of today does not use → that folder all the same', async (t) => {
  const data = t.testdir({});
  const said = { EARSHOT_DATA: data, EARSHOT_STORE: 'redis://redis:6379' };
  const copied = await earshot({ args: ['backup', `${data}/copy`], env: said });
  failsWith(t, copied, 1, new RegExp(`the data folder ${data} has no data of Earshot in it`));
});
