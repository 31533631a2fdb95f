import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { startChild } from '../support/child.js';
import { blocksOf } from '../support/documents.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import type { RunningServer } from '../support/spawn.js';
import { freePort, ROOT, startServer } from '../support/spawn.js';
import type { KeyServer } from '../support/tokens.js';
import { ecPair, jwkOf, keyServer, pemOf, rsaPair, signed } from '../support/tokens.js';

/** One who is believed, as the files of the recipe have it. */
interface IssuerConfig {
  secret?: string | readonly string[];
  publicKey?: string;
  jwksUrl?: string;
  issuer?: string | undefined;
  audience?: string | undefined;
}
interface Config {
  token: IssuerConfig & { issuers?: IssuerConfig[] };
}

const RECIPE = 'docs/recipes/jwt.md';
const CONFIGS = ['secret', 'rotation', 'public-key', 'provider', 'issuers'];
const SCRIPTS = ['endpoint', 'client'];
/** Of the environment that the test runs in, nothing gets through. */
const CLEAN = {
  NODE_ENV: undefined,
  HOST: undefined,
  PORT: '0',
  LOG_LEVEL: undefined,
  EARSHOT_CONFIG: undefined,
  EARSHOT_STORE: undefined,
  EARSHOT_ORIGINS: undefined,
  EARSHOT_TOKEN_SECRET: undefined,
};

const blocks = blocksOf(readFileSync(join(ROOT, RECIPE), 'utf8'));
const elliptic = ecPair();
const rsa = rsaPair();

function blockOf(info: string): string {
  const block = blocks.find((each) => each.info === info);
  if (block === undefined) throw new Error(`the recipe has no block "${info}"`);
  return block.text;
}

t.test(`${RECIPE} / its blocks → every one is tried here`, async (t) => {
  const tried = [...CONFIGS.map((name) => `config ${name}`), 'claims', ...SCRIPTS];
  t.strictSame(blocks.map(({ info }) => info).sort(), tried.sort());
});

for (const name of CONFIGS) {
  t.test(`${RECIPE} / config ${name} → each of its issuers is believed, and nobody else`, async (t) => {
    const keys = await keyServer(t, [jwkOf(rsa.publicKey, { kid: 'k', use: 'sig', alg: 'RS256' })]);
    const config = withKeys(configOf(name), keys);
    const server = await serverOf(t, config);
    const all = [config.token, ...(config.token.issuers ?? [])];
    for (const issuer of all) {
      for (const token of tokensOf(issuer)) await welcomed(t, server, token);
    }
    const others = [
      ...tokensOf({ ...config.token, audience: 'another' }),
      ...tokensOf({ ...config.token, issuer: 'another' }),
      ...tokensOf({ issuer: config.token.issuer, audience: config.token.audience, secret: 'not the one' }),
    ];
    for (const token of others) t.equal(await statusOf(server, token), 401);
    t.equal(keys.asked(), all.some(({ jwksUrl }) => jwksUrl !== undefined) ? 1 : 0);
  });
}

t.test(`${RECIPE} / claims → allow what they name, and nothing else`, async (t) => {
  const config = configOf('secret');
  const server = await serverOf(t, config);
  const [token = ''] = tokensOf(config.token, JSON.parse(blockOf('claims')));
  const client = await welcomed(t, server, token);
  const outcome = async (type: 'subscribe' | 'publish', channel: string) => {
    const answer = await client.call(type === 'publish' ? { type, channel, data: 1 } : { type, channel });
    return answer.type === 'error' ? answer.code : answer.type;
  };
  t.equal(await outcome('subscribe', 'chat/lobby'), 'subscribed');
  t.equal(await outcome('publish', 'chat/lobby'), 'published');
  t.equal(await outcome('subscribe', 'news/europe/today'), 'subscribed');
  t.equal(await outcome('publish', 'news/europe/today'), 'forbidden');
  t.equal(await outcome('subscribe', 'user/u-1/inbox'), 'subscribed');
  t.equal(await outcome('subscribe', 'user/u-2/inbox'), 'forbidden');
  t.equal(await outcome('subscribe', 'chat/other'), 'forbidden');
});

t.test(`${RECIPE} / endpoint and client → the client fetches its token and is let in`, async (t) => {
  const config = configOf('secret');
  const secret = String(config.token.secret);
  const server = await serverOf(t, config);
  const port = String(await freePort());
  const endpoint = `const userOf = async () => ({ id: 'u-1', name: 'Ann' });\n${blockOf('endpoint')}console.log('listening');\n`;
  t.match(endpoint, 'port: 3000');
  const application = await startChild(t, process.execPath, [script(t, endpoint.replace('3000', port))], {
    env: { TOKEN_SECRET: secret },
  });
  await application.says(/listening\n/);
  const written = blockOf('client');
  for (const address of ['wss://app.example/ws', 'https://app.example/token']) t.match(written, address);
  const here = written
    .replace('wss://app.example/ws', `ws://127.0.0.1:${server.port}/ws`)
    .replace('https://app.example/token', `http://127.0.0.1:${port}/token`);
  const client = await startChild(t, process.execPath, [script(t, here)]);
  await client.says(/signed in, and said at \S+\n/);
});

function configOf(name: string): Config {
  return JSON.parse(blockOf(`config ${name}`));
}

/** The same with keys that the test has: the recipe can only show what they look like. */
function withKeys(config: Config, { url }: KeyServer): Config {
  const mine = (issuer: IssuerConfig): IssuerConfig => ({
    ...issuer,
    ...(issuer.publicKey !== undefined && { publicKey: pemOf(elliptic.publicKey) }),
    ...(issuer.jwksUrl !== undefined && { jwksUrl: url }),
  });
  const { issuers } = config.token;
  return { ...config, token: { ...mine(config.token), ...(issuers && { issuers: issuers.map(mine) }) } };
}

/** One for each key that an issuer has. */
function tokensOf(
  { secret, publicKey, jwksUrl, issuer, audience }: IssuerConfig,
  more: object = {},
): string[] {
  const claims = {
    sub: 'u-1',
    exp: Math.floor(Date.now() / 1000) + 600,
    iss: issuer,
    aud: audience,
    ...more,
  };
  return [
    ...[secret ?? []].flat().map((each) => signed({ alg: 'HS256' }, claims, each)),
    ...(publicKey === undefined ? [] : [signed({ alg: 'ES256' }, claims, elliptic.privateKey)]),
    ...(jwksUrl === undefined ? [] : [signed({ alg: 'RS256', kid: 'k' }, claims, rsa.privateKey)]),
  ];
}

function serverOf(t: Test, config: Config): Promise<RunningServer> {
  const folder = t.testdir({ 'earshot.json': JSON.stringify(config) });
  return startServer(t, { command: ['serve', '--config', `${folder}/earshot.json`], env: CLEAN });
}

async function welcomed(t: Test, { port }: RunningServer, token: string): Promise<Peer> {
  const client = await peer(t, `ws://127.0.0.1:${port}/ws`, {
    headers: { authorization: `Bearer ${token}` },
  });
  t.match(await client.next('welcome'), { user: 'u-1' });
  return client;
}

async function statusOf({ url }: RunningServer, token: string): Promise<number> {
  const { status } = await fetch(`${url}/v1/session`, { headers: { authorization: `Bearer ${token}` } });
  return status;
}

/** A module where the packages that the recipe names are installed; its path. */
function script(t: Test, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-recipe-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'earshot'));
  for (const name of ['fastify', 'jose']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  const path = join(folder, 'script.mjs');
  writeFileSync(path, text);
  return path;
}
