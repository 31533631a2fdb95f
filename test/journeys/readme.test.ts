import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import { startChild } from '../support/child.js';
import { launchChromium, openPage } from '../support/chromium.js';
import type { Block } from '../support/documents.js';
import { blocksOf } from '../support/documents.js';
import { traceLog } from '../support/logs.js';
import { peer } from '../support/peer.js';
import { secret } from '../support/secrets.js';
import { freePort, ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';

/** The address that the README speaks of. */
const ADDRESS = '127.0.0.1:8080';
const SECRET = secret('a secret of tests: thirty-two bytes or more');

/** A whole build, on a machine that has other things to do as well. */
const BUILT_MS = 75_000;

const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(read('package.json'));

/** How each kind of block is tried; one without its kind here fails. */
const RUNNERS: Readonly<Record<string, (t: Test, text: string) => Promise<void>>> = {
  sh: setUp,
  'sh curl': curl,
  'sh wscat': wscat,
  'js plain': plainPage,
  'js client': client,
  'js fastify': application,
  'sh help': help,
  'js tour': tour,
  text: tree,
};

const kindOf = ({ language, info }: Block) => `${language} ${info}`.trim();
/** But for the sessions, which are one story: readme-session.test.ts tells it. */
const blocks = blocksOf(read('README.md')).filter((block) => kindOf(block) !== 'sh session');

t.test('README.md / its blocks → every kind is there', async (t) => {
  t.strictSame([...new Set(blocks.map(kindOf))].sort(), Object.keys(RUNNERS).sort());
});

for (const block of blocks) {
  const kind = kindOf(block);
  t.test(`README.md / line ${block.line}, ${kind} → does what it says`, async (t) => {
    const run = RUNNERS[kind];
    if (run === undefined) throw new Error(`nothing here tries a block of the kind "${kind}"`);
    await run(t, block.text);
  });
}

/** `npm ci` is what CI did before this test could run; the rest is tried on a copy, whatever else is built here. */
async function setUp(t: Test, text: string): Promise<void> {
  t.match(text, /^npm ci && npm (start|test)\n$/);
  const steps = text.trim().split(' && ');
  if (text.includes('npm start')) {
    await starts(t);
    return;
  }
  t.ok(manifest.scripts['test']);
  const ci = read('.ci/run').split('\n');
  for (const step of steps) {
    t.ok(
      ci.some((line) => line.startsWith(step)),
      `.ci/run has ${step}`,
    );
  }
}

async function starts(t: Test): Promise<void> {
  const clone = temporary(t);
  for (const name of ['package.json', 'tsconfig.json', 'src', 'dist', 'public']) {
    cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  }
  for (const built of ['earshot.js', 'earshot.js.map']) rmSync(join(clone, 'public', built), { force: true });
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  const server = await startChild(t, 'npm', ['start'], {
    cwd: clone,
    env: { PORT: '0', LOG_LEVEL: 'trace' },
    isServer: true,
  });
  const [, url = ''] = await server.says(/open (http:\/\/127\.0\.0\.1:\d+)\/\n/, BUILT_MS);
  t.match(await textOf(`${url}/`), /<title>/, 'the lobby');
  t.match(await textOf(`${url}/earshot.js`), /export/, 'the client, built');
  process.kill(server.pid, 'SIGTERM'); // npm alone: it hands it on
  t.strictSame(await server.ended, { code: 0, signal: null }, 'drained');
  await t.rejects(fetch(url), 'nobody listens any more');
}

async function curl(t: Test, text: string): Promise<void> {
  const on = await serverOn(t);
  const { code, stdout } = await runProcess('sh', ['-c', on.here(text)], {
    env: { PATH: `${dirname(tool('curl'))}${delimiter}${process.env['PATH']}` },
  });
  t.equal(code, 0);
  const answer = [{ type: 'published', id: 1, channel: 'lobby', duplicate: false }];
  t.match(JSON.parse(stdout), answer, stdout);
  t.strictSame(await on.history(), ['hello from curl']);
}

async function wscat(t: Test, text: string): Promise<void> {
  const on = await serverOn(t);
  const child = await startChild(t, 'sh', ['-c', on.here(text)]);
  const [, name = ''] = await child.says(/Welcome (127\.0\.0\.1:\d+)\n/);
  child.write('hello from wscat\n');
  await child.says(new RegExp(`${name} -> hello from wscat\n`));
  t.strictSame(await on.history(), ['hello from wscat']);
  await on.publish('hello, wscat');
  await child.says(/server -> hello, wscat\n/);
  child.finish();
  t.equal((await child.ended).code, 0);
}

async function plainPage(t: Test, text: string): Promise<void> {
  const on = await serverOn(t);
  const { page } = await openPage(t, await launchChromium(t), `http://${on.host}/`);
  const welcome = page.waitForEvent('console', (line) => /^Welcome 127\.0\.0\.1:\d+$/.test(line.text()));
  const hello = page.waitForEvent('console', (line) => line.text().endsWith(' -> hello from a page'));
  await page.evaluate(on.here(text));
  const name = (await welcome).text().replace('Welcome ', '');
  t.equal((await hello).text(), `${name} -> hello from a page`);
  t.strictSame(await on.history(), ['hello from a page']);
}

async function client(t: Test, text: string): Promise<void> {
  const on = await serverOn(t);
  await on.publish('hello from before');
  const child = await startChild(t, process.execPath, [script(t, on.here(text))]);
  await child.says(/hello from the client\n/);
  t.match(child.said(), /^server: hello from before\n/m, 'what was kept comes as well');
  t.match(child.said(), /^127\.0\.0\.1:\d+: hello from the client\n/m);
  t.match(child.said(), /^1 here\n/m);
  t.strictSame(await on.history(), ['hello from before', 'hello from the client']);
}

async function application(t: Test, text: string): Promise<void> {
  const port = await freePort();
  t.match(text, 'port: 3000');
  const child = await startChild(t, process.execPath, [script(t, text.replace('3000', String(port)))]);
  const url = `http://localhost:${port}`;
  await listening(url, child.ended);
  const reader = await peer(t, `${url.replace('http', 'ws')}/ws`);
  await reader.call({ type: 'subscribe', channel: 'orders' });
  const response = await fetch(`${url}/orders`, { method: 'POST' });
  t.strictSame(await response.json(), { ok: true });
  t.match(await reader.next('message'), { channel: 'orders', from: 'server', data: { state: 'placed' } });
}

async function help(t: Test, text: string): Promise<void> {
  const { code, stdout } = await runProcess('sh', ['-c', text]);
  t.equal(code, 0);
  const flags = ['--dev', '--host', '--port', '--backlog', '--config', '--prefix', '--path', '--log-level'];
  for (const flag of flags) t.match(stdout, new RegExp(`^ +${flag}\\b`, 'm'));
}

async function tour(t: Test, text: string): Promise<void> {
  const claims = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  const token = secret(await claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET)));
  const strict = { dev: false, token: { secret: SECRET } };
  for (const [options, env] of [[{}, {}] as const, [strict, { TOKEN: token }] as const]) {
    const on = await serverOn(t, options);
    const ended = await runProcess(process.execPath, [script(t, on.here(text))], { env });
    const said = ['connected ', 'true', "{ headline: 'it works' }", 'closed ', ''];
    t.strictSame(ended, { code: 0, signal: null, stdout: said.join('\n'), stderr: '' });
  }
}

async function tree(t: Test, text: string): Promise<void> {
  const paths = text.split('\n').flatMap((line) => /^\S+/.exec(line) ?? []);
  t.ok(paths.length > 5);
  for (const path of paths) t.ok(existsSync(join(ROOT, path)), path);
}

/** A development server, and what a test asks of it. */
async function serverOn(t: Test, options: EarshotOptions = {}) {
  const app = await createApp(
    { dev: true, maxEventLoopDelayMs: 3_600_000, ...options },
    { logger: traceLog() },
  );
  t.teardown(() => app.close());
  const { host } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  return {
    host,
    /** As it is written, but for the address. */
    here(text: string): string {
      t.match(text, ADDRESS);
      return text.replaceAll(ADDRESS, host);
    },
    publish: (data: unknown) => app.earshot.publish('lobby', data),
    /** The data of the messages of the lobby. */
    async history(): Promise<unknown[]> {
      const reader = await peer(t, `ws://${host}/ws`);
      const answer = await reader.call({ type: 'history', channel: 'lobby' });
      if (answer.type !== 'history') throw new Error(`no history: ${answer.text}`);
      return answer.messages.map(({ data }) => data);
    },
  };
}

/** A module in a folder where `earshot` and `fastify` are installed; its path. */
function script(t: Test, text: string): string {
  const folder = temporary(t);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'earshot'));
  symlinkSync(join(ROOT, 'node_modules', 'fastify'), join(folder, 'node_modules', 'fastify'));
  const path = join(folder, 'script.mjs');
  writeFileSync(path, text);
  return path;
}

function temporary(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-readme-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Waits until somebody listens there; gives up when the program has ended. */
async function listening(url: string, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    const answered = await fetch(`${url}/livez`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
  }
  throw new Error('the program ended before it listened');
}
