import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastify from 'fastify';
import { SignJWT } from 'jose';
import { diagnose } from '../../src/cli/doctor/diagnose.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { targetFrom } from '../../src/cli/doctor/target.js';
import { earshot } from '../../src/index.js';
import { blocksOf } from './documents.js';
import type { Configure, RunningProxy } from './proxies.js';
import { caddyWith, haproxyWith, nginxWith } from './proxies.js';
import type { Teardown } from './spawn.js';
import { ROOT, runProcess } from './spawn.js';

const SECRET = 'a secret of tests: thirty-two bytes or more';
export const TOKEN = await new SignJWT()
  .setProtectedHeader({ alg: 'HS256' })
  .setSubject('u-1')
  .setExpirationTime('1h')
  .sign(new TextEncoder().encode(SECRET));
/** Of a caller with a token. */
export const HEADERS = { authorization: `Bearer ${TOKEN}` };

/** An application that shows the headers which reach it, and takes pages of the host that they name. */
export async function serverOn(t: Teardown) {
  const app = fastify({ forceCloseConnections: true });
  t.teardown(() => app.close());
  await app.register(earshot, { token: { secret: SECRET }, maxEventLoopDelayMs: 3_600_000 });
  app.get('/headers', async ({ headers }) => headers);
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  return { app, port };
}

/** The one block of a recipe that is a configuration. */
export function recipe(name: string, language: string): string {
  const blocks = blocksOf(readFileSync(join(ROOT, `docs/recipes/${name}.md`), 'utf8'));
  const [block, ...more] = blocks;
  if (block?.language !== language || more.length > 0)
    throw new Error(`${name}.md has one block, in ${language}`);
  return block.text;
}

/** Of a recipe that has several blocks, the one that begins with these words: `yaml`, or `text redis.conf`. */
export function part(name: string, title: string): string {
  const blocks = blocksOf(readFileSync(join(ROOT, `docs/recipes/${name}.md`), 'utf8'));
  const [block, ...more] = blocks.filter(({ language, info }) => `${language} ${info}`.trim() === title);
  if (block === undefined || more.length > 0) throw new Error(`${name}.md has one block "${title}"`);
  return block.text;
}

/** The text with each of these replaced; all of them must be there. */
export function replaced(text: string, pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs).reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`there is no "${from}" in:\n${text}`);
    return before.replaceAll(from, to);
  }, text);
}

/** A proxy as docs/recipes/ has it. */
export interface Recipe {
  readonly name: string;
  readonly language: string;
  /** What names the address to listen on, and what takes its place. */
  readonly address: readonly [string, (port: number) => string];
  readonly start: (t: Teardown, configure: Configure) => Promise<RunningProxy>;
  /** Whether open WebSockets outlive a reload. */
  readonly reloadKeeps: boolean;
}

export const RECIPES: readonly Recipe[] = [
  {
    name: 'nginx',
    language: 'nginx',
    address: ['listen 80;', (port) => `listen 127.0.0.1:${port};`],
    start: nginxWith,
    reloadKeeps: true,
  },
  {
    name: 'caddy',
    language: 'caddy',
    address: ['app.example {', (port) => `http://127.0.0.1:${port} {`],
    start: caddyWith,
    reloadKeeps: false,
  },
  {
    name: 'haproxy',
    language: 'haproxy',
    address: ['bind :80\n', (port) => `bind 127.0.0.1:${port}\n`],
    start: haproxyWith,
    reloadKeeps: true,
  },
];

/** The proxy of a recipe, before a server on this port. */
export function proxyAs(
  t: Teardown,
  { name, language, address: [address, own], start }: Recipe,
  serverPort: string,
) {
  const text = recipe(name, language);
  return start(t, (port) =>
    replaced(text, { '127.0.0.1:8080': `127.0.0.1:${serverPort}`, [address]: own(port) }),
  );
}

/** What `earshot doctor` finds; the command itself, as a process. */
export async function doctorCommand(
  url: string,
  more: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const args = ['dist/cli.js', 'doctor', url, '--json', ...more];
  const { code, stdout } = await runProcess(process.execPath, args, {
    env: { EARSHOT_TOKEN: TOKEN, ...env },
  });
  const findings: readonly Finding[] = JSON.parse(stdout);
  return { code, findings, outcomes: outcomesOf(findings) };
}

/** What the doctor finds in this process, silent for so long. */
export async function doctor(url: string, idleSeconds: string) {
  const target = targetFrom(url, { path: '/ws', idleSeconds }, TOKEN);
  const findings: Finding[] = [];
  for await (const finding of diagnose(target, () => {})) findings.push(finding);
  const of = (check: string) => findings.find((each) => each.check === check);
  return { findings, outcomes: outcomesOf(findings), of };
}

function outcomesOf(findings: readonly Finding[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ check, outcome }) => [check, outcome]));
}

/** What it finds where nothing is wrong. */
export const ALL_OK = { reach: 'ok', session: 'ok', upgrade: 'ok', sse: 'ok', idle: 'ok' };
