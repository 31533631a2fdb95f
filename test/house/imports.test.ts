import { readFileSync } from 'node:fs';
import t from 'tap';
import { cycles, oversized, strayGlobals, strayImports } from './rules.js';
import { readSources } from './sources.js';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const dependencies = Object.keys(manifest.dependencies);
const sources = readSources();

t.test('the house / src as it is', async (t) => {
  t.test('imports → go down or sideways, to packages that are for them', async (t) => {
    t.ok(sources.length > 10, 'there are sources');
    t.strictSame(strayImports(sources, dependencies), []);
  });

  t.test('imports → make no circle', async (t) => t.strictSame(cycles(sources), []));

  t.test('core → has no timer, clock or process of its own', async (t) => {
    t.strictSame(strayGlobals(sources), []);
  });

  t.test('files and folders → are not too large', async (t) => t.strictSame(oversized(sources), []));
});

/** Faults of one file beside files that it may import. */
function faults(path: string, text: string): readonly string[] {
  const beside = [
    'cli/publish.ts',
    'client/connection.ts',
    'core/hub.ts',
    'protocol/commands.ts',
    'protocol/version.ts',
    'server/plugin.ts',
    'transport/socket.ts',
    'index.ts',
  ].map((each) => ({ path: each, text: '' }));
  return strayImports([{ path, text }, ...beside], dependencies);
}

t.test('import rule / made-up violations', async (t) => {
  const cases: ReadonlyArray<readonly [name: string, path: string, text: string, fault: string]> = [
    ['core imports transport', 'core/a.ts', "import '../transport/socket.js';", 'transport is above core'],
    [
      'a type counts as well',
      'core/a.ts',
      "import type { A } from '../server/plugin.js';",
      'server is above core',
    ],
    [
      'so does a re-export',
      'core/a.ts',
      "export * from '../transport/socket.js';",
      'transport is above core',
    ],
    [
      'and a dynamic import',
      'core/a.ts',
      "await import('../transport/socket.js');",
      'transport is above core',
    ],
    [
      'and the type of an import',
      'core/a.ts',
      "let a: import('../transport/socket.js').A;",
      'transport is above core',
    ],
    [
      'a subfolder is of its layer',
      'core/b/a.ts',
      "import '../../server/plugin.js';",
      'server is above core',
    ],
    ['server imports the entry', 'server/a.ts', "import '../index.js';", 'entry is above server'],
    ['the server imports the client', 'server/a.ts', "import '../client/connection.js';", 'client is not'],
    ['server imports the command', 'server/a.ts', "import '../cli/publish.js';", 'cli is above server'],
    ['the entry imports the command', 'index.ts', "import './cli/publish.js';", 'cli is above entry'],
    ['the entry imports the client', 'index.ts', "import './client/connection.js';", 'client is not'],
    ['the client imports the command', 'client/a.ts', "import '../cli/publish.js';", 'protocol only'],
    ['the command imports ws', 'cli/a.ts', "import 'ws';", 'only transport may'],
    ['the client imports core', 'client/a.ts', "import type { A } from '../core/hub.js';", 'protocol only'],
    [
      'the client takes a schema',
      'client/a.ts',
      "import { a } from '../protocol/commands.js';",
      'only types from there',
    ],
    [
      'a type among values is a value',
      'client/a.ts',
      "import { type A } from '../protocol/commands.js';",
      'only types',
    ],
    ['protocol imports a package', 'protocol/a.ts', "import 'jose';", 'protocol may not'],
    ['core imports Node', 'core/a.ts', "import { on } from 'node:events';", 'core may not'],
    ['core imports Node without its prefix', 'core/a.ts', "import { on } from 'events';", 'core may not'],
    ['store imports Node', 'store/a.ts', "import 'node:fs';", 'store may not'],
    ['the client imports ws', 'client/a.ts', "import 'ws';", 'client may not'],
    ['the server imports ws', 'server/a.ts', "import { WebSocketServer } from 'ws';", 'only transport may'],
    ['transport imports fastify', 'transport/a.ts', "import type { A } from 'fastify';", 'transport may not'],
    ['a development dependency', 'server/a.ts', "import 'tap';", 'it is not a dependency'],
    ['a file outside of src', 'server/a.ts', "import '../a.js';", 'no such file'],
  ];
  for (const [name, path, text, fault] of cases) {
    t.test(`${name} → it is named`, async (t) => {
      const [first = '', ...rest] = faults(path, text);
      t.ok(first.startsWith(`${path} imports `) && first.includes(fault), first || 'no fault was found');
      t.strictSame(rest, []);
    });
  }
});

t.test('import rule / what is allowed → has no fault', async (t) => {
  t.strictSame(faults('client/a.ts', "import { SUBPROTOCOL } from '../protocol/version.js';"), []);
  t.strictSame(faults('client/a.ts', "import type { Command } from '../protocol/commands.js';"), []);
  t.strictSame(faults('client/node.ts', "import { WebSocket } from 'ws';"), []);
  t.strictSame(faults('transport/a.ts', "import 'ws'; import 'node:http'; import '../core/hub.js';"), []);
  t.strictSame(faults('server/a.ts', "import '@fastify/static'; import 'zod'; import 'node:fs';"), []);
  t.strictSame(faults('cli.ts', "import './index.js'; import 'commander'; import './server/plugin.js';"), []);
  t.strictSame(faults('cli.ts', "import './cli/publish.js'; import './client/connection.js';"), []);
  t.strictSame(faults('cli/a.ts', "import '../client/connection.js'; import '../server/plugin.js';"), []);
});

t.test('circles / three files, one edge a type → the circle is named once', async (t) => {
  const files = [
    { path: 'core/a.ts', text: "import './b.js';" },
    { path: 'core/b.ts', text: "import type { C } from './c.js';" },
    { path: 'core/c.ts', text: "export { a } from './a.js';" },
    { path: 'core/d.ts', text: "import './a.js'; import './c.js';" },
  ];
  t.strictSame(cycles(files), ['core/a.ts → core/b.ts → core/c.ts → core/a.ts']);
  t.strictSame(cycles(files.slice(1)), []);
});

t.test('globals of core / taken out of the air → each is named', async (t) => {
  const uses = (text: string, path = 'core/a.ts') => strayGlobals([{ path, text }]);
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'performance', 'process', 'globalThis']) {
    t.strictSame(uses(`const a = ${name};`), [`core/a.ts uses ${name}`]);
  }
  for (const text of ['Date.now()', 'new Date()', 'new Date', 'Date()']) {
    t.strictSame(uses(text), ['core/a.ts uses the clock of Date'], text);
  }
  t.strictSame(uses('process.nextTick(a)', 'core/commands/a.ts'), ['core/commands/a.ts uses process']);
  t.strictSame(uses('clock.setTimeout(a); new Date(ms); const t = { process() {}, performance: 1 };'), []);
  t.strictSame(uses('// setTimeout\nconst a = "process";'), []);
  t.strictSame(uses('setTimeout(a)', 'transport/a.ts'), []);
});

t.test('sizes / one line or file too many → it is named', async (t) => {
  const file = (path: string, lines: number) => ({ path, text: 'a;\n'.repeat(lines) });
  t.strictSame(oversized([file('core/a.ts', 350), file('core/b.ts', 351)]), ['core/b.ts has 351 lines']);
  const folder = (count: number) => Array.from({ length: count }, (_, at) => file(`core/${at}.ts`, 1));
  t.strictSame(oversized(folder(12)), []);
  t.strictSame(oversized(folder(13)), ['core has 13 files']);
});
