import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Test } from 'tap';
import t from 'tap';
import type { PromiseName } from '../../src/cli/check/judge/findings.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import type { Store } from '../../src/store/store.js';
import { appOn } from '../support/app.js';
import { earshot, failsWith, startEarshot } from '../support/command.js';
import { freePort } from '../support/spawn.js';
import { ForgetfulStore, LeakyStore, LosingStore, swallowingProxy, TwistedStore } from './broken.js';
import { guarded, token } from './live.js';

const SHORT = ['--seed', '1', '--seconds', '1', '--publishers', '2', '--readers', '3', '--channels', '2'];

t.test('check / a server that keeps its promises → a line for each, and nothing left behind', async (t) => {
  const { url, app } = await appOn(t);
  const { code, stdout, stderr } = await earshot({
    args: ['check', '--url', url, ...SHORT, '--seed', 'abc'],
  });
  t.equal(code, 0, stderr);
  t.match(stdout, /^seed abc\n/);
  for (const name of ['phantom', 'order', 'gap', 'duplicate', 'kept', 'once', 'convergence'])
    t.match(stdout, new RegExp(`^kept +${name} +[1-9]\\d* looked at`, 'm'));
  t.match(stdout, /^not checked +permission +0 looked at/m, 'in development anybody may do anything');
  t.strictSame(await app.earshot.channels.list(), []);
  t.notMatch(stderr, /history/);
});

t.test(
  'check --denied-anonymous, --denied-channel / refused in every way → permission is kept',
  async (t) => {
    const { url } = await appOn(t, guarded(['subscribe', 'publish', 'history', 'manage']));
    const dir = t.testdir();
    const env = { EARSHOT_TOKEN: token() };
    for (const denied of [['--denied-anonymous'], ['--denied-channel', 'private/a']]) {
      const file = `${dir}/${denied[0]}`;
      const args = ['check', '--url', url, '--json', '--history', file, ...SHORT, ...denied];
      const { code, stdout, stderr } = await earshot({ args, env });
      t.equal(code, 0, stderr);
      const { history, promises, clean } = JSON.parse(stdout);
      t.match({ history, clean }, { history: file, clean: true });
      t.match(promises.permission, { status: 'kept' });
      t.ok(promises.permission.checked >= 10, 'seven ways to read and three to publish');
      const again = await earshot({ args: ['check', '--judge', '--json', '--history', file] });
      t.equal(again.code, 0);
      t.same(JSON.parse(again.stdout).promises, promises, 'and the kept history is judged the same');
    }
  },
);

t.test('check --denied-anonymous / where anybody may → permission is broken', async (t) => {
  const { url } = await appOn(t);
  await isFound(t, url, ['permission'], '--denied-anonymous');
});

const BROKEN: ReadonlyArray<readonly [string, (store: Store) => Store, readonly PromiseName[]]> = [
  ['accepts what it doesn’t store', (store) => new LosingStore(store), ['kept']],
  ['stores again what is published again', (store) => new ForgetfulStore(store), ['once']],
  ['leaves messages out', (store) => new LeakyStore(store), ['gap']],
  ['turns messages round', (store) => new TwistedStore(store), ['order']],
];

for (const [what, broken, promises] of BROKEN) {
  t.test(`check / a store that ${what} → found, and the history is kept`, async (t) => {
    const { url } = await appOn(t, { store: broken(new MemoryStore()) });
    await isFound(t, url, promises);
  });
}

t.test('check / a proxy that swallows events → found', async (t) => {
  const { port } = await appOn(t);
  await isFound(t, await swallowingProxy(t, port), ['gap'], '--seconds', '2', '--readers', '8');
});

/** Exit code 1, these promises broken, and a history that shows it. */
async function isFound(t: Test, url: string, promises: readonly PromiseName[], ...more: string[]) {
  const file = `${t.testdir()}/history`;
  const args = ['check', '--url', url, '--json', '--history', file, ...SHORT, ...more];
  const { code, stdout, stderr } = await earshot({ args });
  t.equal(code, 1);
  t.match(stderr, /^earshot: not everything is as promised$/m);
  const verdict = JSON.parse(stdout);
  t.strictSame(verdict.faults, []);
  for (const name of promises) t.equal(verdict.promises[name].status, 'broken', name);
  const again = await earshot({ args: ['check', '--judge', '--history', file] });
  t.equal(again.code, 1);
  for (const name of promises) t.match(again.stdout, new RegExp(`^broken +${name}`, 'm'));
}

t.test('check / Ctrl+C → it publishes no more, and judges what there was', async (t) => {
  const { url } = await appOn(t);
  const file = `${t.testdir()}/history`;
  const child = await startEarshot(t, 'check', '--url', url, '--seconds', '3600', '--history', file);
  await child.says(/seed \d+\n/);
  process.kill(child.pid, 'SIGINT');
  t.match(await child.ended, { code: 0, signal: null });
  t.match(child.said(), /^kept +convergence/m);
  t.ok(existsSync(file));
});

t.test('check / what it can’t do → one line, and no history is left', async (t) => {
  const { url } = await appOn(t, guarded(['subscribe', 'publish', 'history']));
  const dir = t.testdir();
  const check = (...args: readonly string[]) => earshot({ args: ['check', ...args] });
  failsWith(t, await check('--judge'), 2, /--judge needs --history/);
  failsWith(t, await check('--judge', '--history', `${dir}/none`), 2, /can't be read \(ENOENT\)/);
  failsWith(
    t,
    await check('--url', url, '--json', '--history', `${dir}/none/x`),
    2,
    /can't be written \(ENOENT\)/,
  );
  failsWith(t, await check('--prefix', 'a//b'), 2, /--prefix.*beginning of the name of a channel/);
  failsWith(t, await check('--seed', 'a b'), 2, /--seed.*letters and digits/);
  failsWith(t, await check('--denied-channel', '..'), 2, /is not the name of a channel/);
  const unknown = await check('--url', url, '--seed', 'unknown');
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /^earshot: forbidden: check\/unknown-\w+\/0 can't be made and followed\n$/);
  const nobody = await check('--url', `http://127.0.0.1:${await freePort()}`);
  t.equal(nobody.code, 1);
  t.match(nobody.stderr, /^earshot: there is no server at http:\/\/127\.0\.0\.1:\d+ that takes a channel\n$/);
  t.strictSame(
    readdirSync(tmpdir()).filter((name) => name.startsWith('earshot-check-unknown')),
    [],
  );
});
