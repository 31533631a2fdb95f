import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Test } from 'tap';
import t from 'tap';
import { failure } from '../../src/cli/failure.js';
import { serve } from '../../src/server/serve.js';
import { catalog, leaves } from '../../src/server/settings/catalog.js';
import { inForce } from '../../src/server/settings/in-force.js';
import type { JsonSchema } from '../../src/server/settings/schema.js';
import { fileSchema } from '../../src/server/settings/schema.js';
import type { Flags } from '../../src/server/settings/settings.js';
import { attributeOf, settingsFrom } from '../../src/server/settings/settings.js';
import { blocksOf } from '../support/documents.js';
import { ROOT } from '../support/spawn.js';

/** What the command would say, and its exit code. It says it before it listens. */
async function failed(flags: Flags, env: NodeJS.ProcessEnv = {}, cwd?: string) {
  try {
    await serve(await settingsFrom(flags, env, cwd), () => {});
  } catch (error) {
    return failure(error);
  }
  throw new Error('it was started');
}

async function failsWith(
  t: Test,
  exitCode: number,
  line: RegExp,
  flags: Flags,
  env?: NodeJS.ProcessEnv,
  cwd?: string,
) {
  const failure = await failed(flags, env, cwd);
  t.match(failure, { exitCode, line });
  t.notMatch(failure.line, /\n/, 'one line');
}

t.test('settings / one that can not be → a line that names it, exit 2', async (t) => {
  const dir = t.testdir({
    'limit.json': '{"dev":true,"limits":{"maxSpeed":1}}',
    'option.json': '{"dev":true,"sercet":"x"}',
    'list.json': '[]',
    'broken.json': '{',
    'secret.json': '{"token":{"secret":"tell nobody" x}}',
    'rule.json': '{"dev":true,"channels":{"chat/*":{"anonymus":[]}}}',
    'group.json': '{"dev":true,"maxSessions":1}',
    'deflate.json': '{"dev":true,"perMessageDeflate":{"levle":3}}',
    'issuer.json': '{"token":{"issuers":[{"issuer":"a","keyz":1}]}}',
    'throws.mjs': 'throw new Error("boom\\nand more");',
    'nothing.mjs': 'export const port = 1;',
    'syntax.mjs': 'export default {',
    'type.json': '{"dev":"yes"}',
    'function.json': '{"dev":true,"verifyClient":"no function"}',
  });
  const table: Record<string, readonly [Flags, RegExp, NodeJS.ProcessEnv?]> = {
    'a bad PORT': [{ dev: true }, /^port: /, { PORT: 'http' }],
    'a PORT above 65535': [{ dev: true }, /^port: /, { PORT: '65536' }],
    'a port with a fraction': [{ dev: true, port: '80.5' }, /^port: /],
    'a negative port': [{ dev: true, port: '-1' }, /^port: /],
    'a bad backlog': [{ dev: true, backlog: '0' }, /^backlog: /],
    'a bad log level': [{ dev: true, logLevel: 'loud' }, /^logLevel: .* \(flag --log-level\)$/],
    'a number that is none': [
      { dev: true },
      /^limits\.maxFrameBytes: "64k" is not a number \(env EARSHOT_LIMITS_MAX_FRAME_BYTES\)$/,
      { EARSHOT_LIMITS_MAX_FRAME_BYTES: '64k' },
    ],
    'a boolean that is none': [
      {},
      /^dev: "yes" is neither true nor false \(env EARSHOT_DEV\)$/,
      { EARSHOT_DEV: 'yes' },
    ],
    'a table that is no JSON': [
      { dev: true },
      /^channels: it is not JSON \(env EARSHOT_CHANNELS\)$/,
      { EARSHOT_CHANNELS: '{' },
    ],
    'several faults': [
      { dev: true, port: 'x', pingIntervalMs: '0' },
      /^port: .*; pingIntervalMs: .*--ping-interval-ms/,
    ],
    'a variable that is none': [
      { dev: true },
      /^EARSHOT_LIMITS_MAX_FRAME_BYTE: there is no such setting, did you mean EARSHOT_LIMITS_MAX_FRAME_BYTES\?$/,
      { EARSHOT_LIMITS_MAX_FRAME_BYTE: '1' },
    ],
    'a variable like no other': [
      { dev: true },
      /^EARSHOT_ZEBRA: there is no such setting$/,
      { EARSHOT_ZEBRA: '1' },
    ],
    'a bad prefix': [{ dev: true, port: '0', prefix: 'a/' }, /^prefix: /],
    'a bad path': [{ dev: true, port: '0', path: 'ws' }, /^path: /],
    'a bad plain channel': [{ dev: true, port: '0', plainChannel: 'a b' }, /^plainChannel: /],
    'no token and no development mode': [{ port: '0' }, /^nobody could connect/],
    'an unknown store': [
      { dev: true },
      /^store: expected memory, lmdb, or an address like redis:.* \(env EARSHOT_STORE\)$/,
      { EARSHOT_STORE: 'oracle' },
    ],
    'an unknown limit': [
      { config: `${dir}/limit.json` },
      /^limits\.maxSpeed: unknown option.* \(file .*limit\.json\)$/,
    ],
    'an unknown option': [{}, /^sercet: unknown option \(file /, { EARSHOT_CONFIG: `${dir}/option.json` }],
    'a file that is a list': [{ config: `${dir}/list.json` }, /list\.json is not a JSON object$/],
    'a file that is broken': [{ config: `${dir}/broken.json` }, /broken\.json can't be read: it is not JSON/],
    'a key that is near another': [
      { config: `${dir}/rule.json` },
      /^channels\.chat\/\*\.anonymus: unknown option, did you mean channels\.chat\/\*\.anonymous\? \(file /,
    ],
    'a key within a choice': [
      { config: `${dir}/deflate.json` },
      /^perMessageDeflate\.levle: unknown option, did you mean perMessageDeflate\.level\?/,
    ],
    'a key of another group': [
      { config: `${dir}/group.json` },
      /^maxSessions: unknown option, did you mean limits\.maxSessions\?/,
    ],
    'a key within a list': [{ config: `${dir}/issuer.json` }, /^token\.issuers\.0\.keyz: unknown option/],
    'code that throws': [{ config: `${dir}/throws.mjs` }, /throws\.mjs can't be read: Error: boom$/],
    'code that exports nothing': [{ config: `${dir}/nothing.mjs` }, /nothing\.mjs has to export an object: /],
    'code that is none': [{ config: `${dir}/syntax.mjs` }, /syntax\.mjs can't be read: SyntaxError: /],
    'a file that is not there': [{ config: `${dir}/none.json` }, /none\.json can't be read: /],
    'a value of the wrong type': [{ config: `${dir}/type.json` }, /^dev: /],
    'a function that is none': [{ config: `${dir}/function.json` }, /^verifyClient: expected a function/],
  };
  for (const [name, [flags, line, env]] of Object.entries(table)) {
    await t.test(name, async (t) => failsWith(t, 2, line, flags, env));
  }
});

t.test(
  'settings / a folder, and a store that has none → refused where one hand has said both, else not used',
  async (t) => {
    const dir = t.testdir({
      'both.json': '{"store":"memory","data":"here"}',
      'store.json': '{"store":"memory"}',
      'data.json': '{"data":"here"}',
    });
    const both = { config: `${dir}/both.json` };
    const store = { config: `${dir}/store.json` };
    const data = { config: `${dir}/data.json` };
    const [image, redis] = [{ EARSHOT_DATA: 'here' }, { EARSHOT_STORE: 'redis://redis:6379' }];
    const refused: readonly (readonly [Flags, NodeJS.ProcessEnv?])[] = [
      [{ store: 'memory', data: 'here' }],
      [{ data: 'here' }, redis],
      [{ ...store, data: 'here' }],
      [both],
    ];
    for (const [flags, env] of refused)
      await failsWith(
        t,
        2,
        /^data: is of the store lmdb, and store is not that/,
        { ...flags, dev: true },
        env,
      );
    const variable = 'env EARSHOT_DATA';
    const unused: readonly (readonly [string, Flags, NodeJS.ProcessEnv?])[] = [
      [variable, { store: 'memory' }, image],
      [variable, { store: 'redis://redis:6379' }, image],
      [variable, {}, { ...image, ...redis }],
      [variable, store, image],
      [variable, both, image],
      [`file ${dir}/data.json`, data, redis],
      [`file ${dir}/data.json`, { ...data, store: 'memory' }],
    ];
    for (const [from, flags, env = {}] of unused) {
      const settings = await settingsFrom({ ...flags, dev: true }, env);
      t.strictSame(settings.unusedData, { path: 'here', from });
      const row = inForce(settings).find(({ name }) => name === 'data');
      t.strictSame(row, { name: 'data', value: null, from: `${from}, not used` });
    }
    const used = await settingsFrom({ dev: true }, image);
    t.match(used, { options: { data: 'here' }, unusedData: undefined });
    const own = await settingsFrom({ ...both, dev: true, store: 'lmdb' }, {});
    t.match(
      own,
      { options: { data: 'here' }, unusedData: undefined },
      'what is nearer names the one it is of',
    );
    const promise = { ...redis, EARSHOT_FSYNC: 'true' };
    await failsWith(t, 2, /^fsync: is of the store lmdb/, { dev: true }, promise);
  },
);

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
    t.equal((await settingsFrom({ dev: true, allowPublicDev: true, host }, {})).listen.host, host);
    t.equal((await settingsFrom({ host }, {})).listen.host, host, 'without development mode nobody minds');
  }
  await failsWith(
    t,
    2,
    /NODE_ENV is production: add --allow-public-dev/,
    { dev: true },
    { NODE_ENV: 'production' },
  );
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1', undefined]) {
    t.ok(await settingsFrom({ dev: true, ...(host && { host }) }, {}));
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
  const none = await settingsFrom({}, {});
  t.match(none, { listen: { host: '127.0.0.1', port: 8080 }, logLevel: 'info', logFormat: 'auto' });
  t.strictSame(none.options, {});
  t.equal((await settingsFrom({ dev: true }, {})).logLevel, 'warn');

  const file = await settingsFrom({}, { EARSHOT_CONFIG: config });
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
  const env = await settingsFrom({}, fromEnv);
  t.strictSame(env.listen, { host: 'env.example', port: 2, backlog: 1 });
  t.match(env, { logLevel: 'error', options: { path: '/file', origins: ['http://env', 'http://b'] } });
  t.strictSame(env.options.token, { secret: 'env', cookie: 'sid' }, 'the rest of the token stays');

  const flags = await settingsFrom(
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
    (await settingsFrom({ config: `${other}/other.json` }, fromEnv)).options.path,
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
  t.strictSame(await settingsFrom({}, env), await settingsFrom({}, {}));
});

t.test('settings / a parser that would show some of a secret → only the place is told', async (t) => {
  const dir = t.testdir({ 'secret.json': '{\n"token":{"secret":"tell nobody" x}}' });
  const { line } = await failed({ config: `${dir}/secret.json` });
  t.match(line, /secret\.json can't be read: it is not JSON/);
  t.notMatch(line, 'nobody');
});

t.test(
  'settings / every one that a text can say → by its flag and by its variable, which say the same',
  async (t) => {
    const said = leaves().filter(({ kind }) => kind !== 'code');
    t.ok(said.length > 50, 'there are settings');
    const flags = said.flatMap(({ flag }) => flag ?? []);
    const variables = said.flatMap(({ variables }) => variables);
    t.equal(new Set(flags).size, flags.length, 'no flag means two');
    t.equal(new Set(variables).size, variables.length, 'no variable means two');
    for (const { name, path, flag, kind, choices, schema } of said) {
      const variable = `EARSHOT_${path.map((key) => key.replace(/[A-Z]/g, '_$&')).join('_')}`.toUpperCase();
      t.ok(variables.includes(variable), variable);
      if (flag === undefined) {
        t.ok(schema.secret === true || kind === 'json', `${name} is a secret or an object`);
        continue;
      }
      const text = kind === 'number' ? '70000' : kind === 'boolean' ? 'true' : (choices?.[0] ?? '/text');
      const value = kind === 'boolean' ? true : kind === 'list' || kind === 'texts' ? [text] : text;
      const by = (settings: Promise<unknown>) => settings.then(kept, ({ message }: Error) => bare(message));
      const flagged = await by(settingsFrom({ [attributeOf(flag)]: value }, {}));
      const env = await by(settingsFrom({}, { [variable]: kind === 'texts' ? `["${text}"]` : text }));
      t.strictSame(flagged, env, name);
    }
  },
);

/** Without where each was said. */
function kept(settings: unknown): unknown {
  return { ...(settings as object), from: undefined };
}

function bare(message: string): string {
  return message.replace(/ \((?:flag|env) [^)]*\)/g, '');
}

t.test('settings / how each kind is written as text → numbers, booleans, lists, objects', async (t) => {
  const env = {
    EARSHOT_LIMITS_MAX_FRAME_BYTES: '1000',
    EARSHOT_LIMITS_PER_USER_COMMANDS_PER_SECOND: '2.5',
    EARSHOT_PROBES: 'false',
    EARSHOT_METRICS: '0',
    EARSHOT_TRUST_PROXY: '10.0.0.0/8, loopback',
    EARSHOT_ORIGINS: '["https://a.example","https://b.example"]',
    EARSHOT_TOKEN_SECRET: '["new","old"]',
    EARSHOT_TOKEN_PUBLIC_KEY: '[not a list',
    EARSHOT_CHANNELS: '{"chat/*":{"anonymous":["subscribe"]}}',
    EARSHOT_PLAIN_CHANNEL: 'false',
    EARSHOT_PER_MESSAGE_DEFLATE_LEVEL: '3',
  };
  const { options } = await settingsFrom({}, env);
  t.strictSame(options, {
    limits: { maxFrameBytes: 1000, perUser: { commandsPerSecond: 2.5 } },
    probes: false,
    metrics: false,
    trustProxy: ['10.0.0.0/8', 'loopback'],
    origins: ['https://a.example', 'https://b.example'],
    token: { secret: ['new', 'old'], publicKey: '[not a list' },
    channels: { 'chat/*': { anonymous: ['subscribe'] } },
    plainChannel: false,
    perMessageDeflate: { level: 3 },
  });
  const flags = {
    origin: ['https://c.example'],
    origins: ['https://d.example'],
    probes: true,
    plainChannel: false,
  };
  const flagged = await settingsFrom(flags, { ...env, EARSHOT_PLAIN_CHANNEL: 'lobby' });
  t.match(flagged.options, { probes: true, plainChannel: false });
  t.strictSame(flagged.options.origins, ['https://c.example', 'https://d.example']);
  t.equal(flagged.from.get('plainChannel'), 'flag --no-plain-channel');
});

t.test('secret in a file / NAME_FILE → its text without the end of the last line', async (t) => {
  const dir = t.testdir({
    unix: 'shh\n',
    windows: 'shh\r\n',
    bare: 'shh',
    two: 'shh\n\n',
    empty: '',
    blank: '\n',
  });
  for (const [file, secret] of Object.entries({ unix: 'shh', windows: 'shh', bare: 'shh', two: 'shh\n' })) {
    const { options, from } = await settingsFrom({}, { EARSHOT_TOKEN_SECRET_FILE: `${dir}/${file}` });
    t.equal(options.token?.secret, secret, file);
    t.equal(from.get('token.secret'), 'env EARSHOT_TOKEN_SECRET_FILE');
  }
  const admin = await settingsFrom(
    {},
    { EARSHOT_ADMIN_KEY_FILE: `${t.testdirName}/unix`, EARSHOT_ADMIN_KEY: '' },
  ).catch(({ message }: Error) => message);
  t.match(admin, /^admin\.key: .*\(env EARSHOT_ADMIN_KEY_FILE\)$/, 'checked like any other');
  for (const file of ['empty', 'blank']) {
    const line = /^EARSHOT_TOKEN_SECRET_FILE: .* is empty$/;
    await failsWith(t, 2, line, { dev: true }, { EARSHOT_TOKEN_SECRET_FILE: `${dir}/${file}` });
  }
  await failsWith(
    t,
    2,
    /can't be read \(ENOENT\)$/,
    { dev: true },
    { EARSHOT_TOKEN_SECRET_FILE: `${dir}/none` },
  );
  await failsWith(t, 2, /can't be read \(EISDIR\)$/, { dev: true }, { EARSHOT_TOKEN_SECRET_FILE: dir });
  const both = { EARSHOT_TOKEN_SECRET: 'a', EARSHOT_TOKEN_SECRET_FILE: `${dir}/unix` };
  await failsWith(
    t,
    2,
    /^EARSHOT_TOKEN_SECRET and EARSHOT_TOKEN_SECRET_FILE are both set/,
    { dev: true },
    both,
  );
});

t.test(
  'variables / of tests, of other commands, of Kubernetes → are no settings, and no mistakes',
  async (t) => {
    const env = {
      EARSHOT_TEST_CURL: '/usr/bin/curl',
      EARSHOT_TOKEN: 'of earshot publish',
      EARSHOT_SERVICE_HOST: '10.0.0.1',
      EARSHOT_SERVICE_PORT: '8080',
      EARSHOT_SERVICE_PORT_HTTP: '8080',
      EARSHOT_PORT: 'tcp://10.0.0.1:8080',
      EARSHOT_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      EARSHOT_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    t.equal((await settingsFrom({}, env)).listen.port, 8080);
    t.equal((await settingsFrom({}, { ...env, PORT: '3' })).listen.port, 3);
    t.equal(
      (await settingsFrom({}, { EARSHOT_PORT: '4', PORT: '3' })).listen.port,
      4,
      'ours before the common name',
    );
    await failsWith(
      t,
      2,
      /^EARSHOT_CONFIG_FILE: there is no such setting$/,
      {},
      { EARSHOT_CONFIG_FILE: 'a' },
    );
  },
);

t.test('file / in the working directory → is found; two of them → which one?', async (t) => {
  const json = t.testdir({ 'earshot.config.json': '{"$schema":"./schema.json","port":7}' });
  const found = await settingsFrom({}, {}, json);
  t.equal(found.listen.port, 7);
  t.equal(found.from.get('port'), 'file earshot.config.json');
  t.strictSame(found.options, {}, '$schema is no option');
  t.equal((await settingsFrom({}, {}, `${t.testdirName}/..`)).listen.port, 8080, 'only there');

  const both = t.testdir({ 'earshot.config.json': '{"port":7}', 'earshot.config.mjs': 'export default {}' });
  await failsWith(t, 2, /json and earshot\.config\.mjs are both here: name one with --config$/, {}, {}, both);
  t.equal((await settingsFrom({ config: 'earshot.config.json' }, {}, both)).listen.port, 7, 'from there');
});

t.test('file / that is code → functions, promises and schemas of zod arrive as they are', async (t) => {
  const dir = t.testdir({
    'earshot.config.js': `import * as z from 'zod';
      export const data = z.strictObject({ text: z.string() });
      export const authorize = () => true;
      export default Promise.resolve({ dev: true, hooks: { authorize }, channels: { '**': { schema: data } } });`,
  });
  const module = await import(`${dir}/earshot.config.js`);
  const { options } = await settingsFrom({ limitsMaxSessions: '3' }, { EARSHOT_TOKEN_SECRET: 'a' }, dir);
  t.equal(options.hooks?.authorize, module.authorize);
  t.equal(options.channels?.['**']?.schema, module.data);
  t.match(options, { dev: true, limits: { maxSessions: 3 }, token: { secret: 'a' } });
});

t.test('in force / every setting → its value and where it was said, secrets masked', async (t) => {
  const dir = t.testdir({
    'earshot.config.json': JSON.stringify({
      host: 'localhost',
      limits: { maxSessions: 5 },
      token: {
        secret: ['first secret', 'second secret'],
        issuers: [{ issuer: 'i', secret: 'third secret' }],
      },
      perMessageDeflate: { level: 2 },
    }),
  });
  const env = { PORT: '1', EARSHOT_ADMIN_KEY: 'a key of the operator', EARSHOT_LIMITS_MAX_CHANNELS: '9' };
  const all = inForce(await settingsFrom({ pingIntervalMs: '7', dev: true }, env, dir));
  const rows = new Map(all.map(({ name, value, from }) => [name, [value, from]]));
  t.equal(rows.size, leaves().length, 'each once');
  t.strictSame(rows.get('host'), ['localhost', 'file earshot.config.json']);
  t.strictSame(rows.get('port'), [1, 'env PORT']);
  t.strictSame(rows.get('pingIntervalMs'), [7, 'flag --ping-interval-ms']);
  t.strictSame(rows.get('pongTimeoutMs'), [8000, 'default']);
  t.strictSame(rows.get('limits.maxSessions'), [5, 'file earshot.config.json']);
  t.strictSame(rows.get('limits.maxChannels'), [9, 'env EARSHOT_LIMITS_MAX_CHANNELS']);
  t.strictSame(rows.get('anonymous'), [true, 'default'], 'what follows from others too');
  t.strictSame(rows.get('pages'), [true, 'default'], 'the command serves them');
  t.strictSame(rows.get('backlog'), [null, 'default']);
  t.strictSame(rows.get('perMessageDeflate.threshold'), [1024, 'default']);
  t.strictSame(rows.get('token.secret'), ['••••', 'file earshot.config.json']);
  t.strictSame(rows.get('admin.key'), ['••••', 'env EARSHOT_ADMIN_KEY']);
  t.match(rows.get('token.issuers'), [[{ issuer: 'i', secret: '••••' }]]);
  t.notMatch(JSON.stringify([...rows]), /(first|second|third) secret|a key of/);
  const off = inForce(await settingsFrom({ dev: true }, {}, t.testdir({})));
  t.notOk(
    off.some(({ name }) => name === 'perMessageDeflate.level'),
    'not of what is off',
  );
});

t.test('catalog / kinds → a map and a list are named by what is in them', async (t) => {
  const schema: JsonSchema = {
    properties: {
      $schema: { type: 'string' },
      group: {
        required: ['must'],
        properties: { must: { type: 'string', secret: true }, maxSizeBytes: { type: 'integer' } },
      },
      map: { type: 'object', additionalProperties: { properties: { a: { type: 'string' } } } },
      list: { type: 'array', items: { properties: { b: { type: 'string' } } } },
      maybe: { anyOf: [{ type: 'boolean' }, { properties: { level: { type: 'integer' } } }] },
      off: { anyOf: [{ type: 'string' }, { const: false }] },
      hook: { inCode: true },
    },
  };
  t.strictSame(
    catalog(schema).map(({ name, kind, flag, variables, isRequired, canBeOff }) =>
      [name, kind, flag ?? '', variables.join(), isRequired ? 'required' : '', canBeOff ? 'off' : '']
        .join(' ')
        .trimEnd(),
    ),
    [
      'group group',
      'group.must text  EARSHOT_GROUP_MUST required',
      'group.maxSizeBytes number --group-max-size-bytes EARSHOT_GROUP_MAX_SIZE_BYTES',
      'map json  EARSHOT_MAP',
      'map.<pattern>.a inner',
      'list json  EARSHOT_LIST',
      'list.<n>.b inner',
      'maybe boolean --maybe EARSHOT_MAYBE',
      'maybe.level number --maybe-level EARSHOT_MAYBE_LEVEL',
      'off text --off EARSHOT_OFF  off',
      'hook code',
    ],
  );
});

t.test(
  '$schema / the JSON Schema of the file → takes what we take, and names what only code can say nowhere',
  async (t) => {
    const schema = fileSchema();
    t.notMatch(JSON.stringify(schema), /"(?:inCode|secret)":true|verifyClient|onConnect|"hooks"/);
    const validate = new Ajv2020({ strict: false }).addFormat('uri', true).compile(schema);
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, boolean])[] = [
      [{ $schema: './schema.json', port: 0, dev: true, token: { secret: ['a', 'b'] } }, true],
      [{ dev: true, channels: { 'chat/*': { anonymous: ['subscribe'], schema: { type: 'object' } } } }, true],
      [{ dev: true, perMessageDeflate: { level: 3 }, plainChannel: false }, true],
      [{ dev: true, port: 70_000 }, false],
      [{ dev: true, limits: { maxSpeed: 1 } }, false],
      [{ dev: true, channels: { 'chat/*': { anonymous: ['shout'] } } }, false],
    ];
    for (const [values, isGood] of cases) {
      const dir = t.testdir({ 'earshot.config.json': JSON.stringify(values) });
      t.equal(validate(values), isGood, JSON.stringify(values));
      const taken = await settingsFrom({}, {}, dir).then(
        () => true,
        () => false,
      );
      t.equal(taken, isGood, 'and so do we');
    }
  },
);

t.test('docs/configuration.md / its files → are taken as they stand there', async (t) => {
  const blocks = blocksOf(readFileSync(`${ROOT}docs/configuration.md`, 'utf8'));
  const files = blocks.filter(({ language }) => language === 'json' || language === 'js');
  t.equal(files.length, 2);
  for (const { language, text } of files) {
    const cwd = t.testdir({ [language]: { [`earshot.config.${language}`]: text } });
    const settings = await settingsFrom({}, { EARSHOT_TOKEN_SECRET: 'a' }, `${cwd}/${language}`);
    t.strictSame(settings.options.origins, ['https://app.example']);
    t.ok(inForce(settings).length > 50, 'in force, the channels too');
  }
});
