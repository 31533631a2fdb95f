import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import ts from 'typescript';
import { startChild } from '../support/child.js';
import type { Block } from '../support/documents.js';
import { blocksOf } from '../support/documents.js';
import { freePort, ROOT, runProcess } from '../support/spawn.js';

const PACKAGES = ['fastify', '@types/node', 'undici-types'];

/** What a fragment stands on. */
const BEFORE = `import { earshot } from 'earshot';
import fastify from 'fastify';

const app = fastify();
await app.register(earshot, { dev: true });
`;
const AFTER = '\nawait app.close();\n';

/** As strict as a reader's own could be. */
const COMPILER: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  types: ['node'],
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
};

const blocks = blocksOf(readFileSync(join(ROOT, 'docs', 'embedding.md'), 'utf8'));
const kindOf = ({ language, info }: Block) => `${language} ${info}`.trim();
const ofKind = (kind: string) => blocks.filter((block) => kindOf(block) === kind);

/** A folder in which `earshot`, as it was built, and `fastify` are installed. */
function project(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-embedding-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(ROOT, join(folder, 'node_modules', 'earshot'));
  for (const name of PACKAGES) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  return folder;
}

function written(folder: string, { language, line, info, text }: Block): string {
  const path = join(folder, `line-${line}.${language}`);
  writeFileSync(path, info === 'app' ? BEFORE + text + AFTER : text);
  return path;
}

/** What the compiler says of these files. */
function faultsOf(folder: string, paths: readonly string[]): readonly string[] {
  const host = ts.createCompilerHost(COMPILER);
  const program = ts.createProgram(paths, COMPILER, { ...host, getCurrentDirectory: () => folder });
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
}

t.test('docs/embedding.md / its blocks → every kind is known', async (t) => {
  t.strictSame([...new Set(blocks.map(kindOf))].sort(), ['js app', 'js whole', 'ts types']);
});

t.test('docs/embedding.md / every block → its types hold, against what is published', async (t) => {
  const folder = project(t);
  const paths = blocks.map((block) => written(folder, block));
  const wrong = 'await app.earshot.publish(5, 1);\napp.earshot.shout();\n';
  const control = written(folder, { language: 'js', info: 'app', line: 0, text: wrong });
  const faults = faultsOf(folder, [...paths, control]);
  t.match(
    faults,
    [/'number' is not assignable to .*'string'/, /'shout' does not exist/],
    'what is wrong is told',
  );
  t.strictSame(
    faults.filter((fault) => !fault.startsWith(control)),
    [],
  );
});

for (const block of ofKind('js app')) {
  t.test(`docs/embedding.md / line ${block.line} → runs on a development application`, async (t) => {
    const { code, stderr, stdout } = await runProcess(process.execPath, [written(project(t), block)]);
    t.strictSame({ code, stderr }, { code: 0, stderr: '' });
    t.match(stdout, "{ id: 7, state: 'paid' }");
  });
}

for (const block of ofKind('js whole')) {
  t.test(`docs/embedding.md / line ${block.line} → starts as it is`, async (t) => {
    const port = await freePort();
    t.match(block.text, 'port: 3000');
    const text = `${block.text.replace('3000', String(port))}console.log('up');\n`;
    const cwd = project(t);
    const child = await startChild(t, process.execPath, [written(cwd, { ...block, text })], { cwd });
    await child.says(/^up\n/);
  });
}
