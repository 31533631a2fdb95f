import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { createApp } from '../../src/server/app.js';
import { accelerated } from '../support/accelerated.js';
import { appOn } from '../support/app.js';
import { builtEarshot, earshot, failsWith } from '../support/command.js';
import { ROOT, runProcess } from '../support/spawn.js';

const SERVE = ['serve', '--dev', '--port', '0', '--accelerate'];

/** The folder of the add-on as it is before it is built. */
function unbuilt(t: Test): string {
  const folder = join(t.testdir(), 'accelerator');
  cpSync(`${ROOT}accelerator`, folder, { recursive: true, filter: (path) => !path.endsWith('.node') });
  return folder;
}

/** What `serve --accelerate` comes to where this runs first. */
function served(t: Test, preload: string) {
  mkdirSync(t.testdirName, { recursive: true });
  const file = join(t.testdirName, 'preload.cjs');
  writeFileSync(file, preload);
  return builtEarshot({ args: SERVE, env: { NODE_OPTIONS: `--require ${JSON.stringify(file)}` } });
}

/** Where the add-on is asked for, it is this instead. */
const instead = (what: string) => `
  const Module = require('node:module');
  const load = Module._load;
  Module._load = (name, ...rest) => (name === 'earshot-accelerator' ? ${what} : load(name, ...rest));`;

for (const [how, CC] of [
  ['there is no compiler', '/nonexistent'],
  ['the compiler fails', 'false'],
] as const) {
  t.test(`the installation / ${how} → does not fail, says so in a line, leaves no add-on`, async (t) => {
    const folder = unbuilt(t);
    const env = { ...process.env, CC };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['build.js'], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    t.strictSame({ status, stderr }, { status: 0, stderr: '' });
    t.match(
      stdout,
      new RegExp(`^earshot-accelerator was not built, and Earshot works without it: ${CC}: .+\n$`),
    );
    t.notOk(existsSync(join(folder, 'accelerator.node')));
  });
}

t.test('npm pack / of the add-on → brings the source and what compiles it, and no binary', async (t) => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = await runProcess('npm', args, { cwd: ROOT });
  const [{ files }]: [{ files: { path: string }[] }] = JSON.parse(stdout);
  const paths = files.map(({ path }) => path).filter((path) => path.startsWith('node_modules/'));
  const own = paths.filter((path) => path.startsWith('node_modules/earshot-accelerator/'));
  const names = ['accelerator.c', 'build.js', 'index.js', 'package.json'];
  t.strictSame(
    own.sort(),
    names.map((name) => `node_modules/earshot-accelerator/${name}`),
  );
  t.ok(paths.includes('node_modules/node-api-headers/include/node_api.h'));
  t.notOk(paths.some((path) => path.endsWith('.node')));
});

t.test('serve --accelerate / the add-on is not installed → the reason in a line, exit 1', async (t) => {
  const result = await served(t, instead(`load('no-such-package', ...rest)`));
  failsWith(
    t,
    result,
    1,
    /^earshot: accelerate: Cannot find module 'no-such-package': .*npm rebuild earshot-accelerator/,
  );
});

t.test('serve --accelerate / the add-on was not built → the reason in a line, exit 1', async (t) => {
  const folder = unbuilt(t);
  const result = await served(t, instead(`load(${JSON.stringify(folder)}, ...rest)`));
  failsWith(
    t,
    result,
    1,
    /^earshot: accelerate: Cannot find module '\.\/accelerator\.node': it is built when/,
  );
});

accelerated(
  t,
  'serve --accelerate / this Node is not as expected → what is not so in a line, exit 1',
  async (t) => {
    const tcp = "process.binding('tcp_wrap').TCP.prototype";
    const changes = {
      [`Object.defineProperty(${tcp}, 'fd', { get: () => undefined })`]: 'a socket has a descriptor',
      [`Object.defineProperty(${tcp}, 'writeQueueSize', { get: () => 0 })`]: 'it is known what waits',
      [`Object.defineProperty(${tcp}, 'fd', { get() { return this.kept ??= 99; } })`]:
        'something can be sent to it',
      [instead('{ send() {} }')]: 'something can be sent to it',
    };
    for (const [change, what] of Object.entries(changes)) {
      const result = await served(t, change);
      failsWith(
        t,
        result,
        1,
        new RegExp(
          `^earshot: accelerate: it does not go with Node [\\d.]+, where it is not so that ${what}\n`,
        ),
      );
    }
  },
);

t.test(
  'createApp({ accelerate: true }) / it can’t be had → rejects with the reason; without it nothing is asked',
  async (t) => {
    await t.rejects(createApp({ dev: true, accelerate: 'yes' as unknown as boolean }), {
      message: /accelerate/,
    });
    const { app } = await appOn(t);
    t.equal(app.earshot.options.accelerate, false);
  },
);

accelerated(t, 'earshot check / of a server that is accelerated → every promise is kept', async (t) => {
  const { url } = await appOn(t, { accelerate: true });
  const args = [
    'check',
    '--url',
    url,
    '--seconds',
    '3',
    '--publishers',
    '3',
    '--readers',
    '6',
    '--channels',
    '2',
    '--json',
  ];
  const { code, stdout, stderr } = await earshot({ args });
  t.equal(code, 0, stderr);
  const { clean, promises } = JSON.parse(stdout);
  t.equal(clean, true);
  for (const name of ['order', 'gap', 'duplicate', 'kept', 'once'])
    t.equal(promises[name].status, 'kept', name);
});
