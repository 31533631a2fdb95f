// Compiles the add-on. It runs at every installation and fails none: without a compiler there is no add-on.
'use strict';
const { spawnSync } = require('node:child_process');
const { renameSync, rmSync } = require('node:fs');
const { join } = require('node:path');

/** What the linker is told, by system: Node's own symbols are there only once it is loaded. */
const FLAGS = { linux: [], darwin: ['-undefined', 'dynamic_lookup'] };
const OUTPUT = join(__dirname, 'accelerator.node');

const why = build();
if (why !== undefined)
  process.stdout.write(`earshot-accelerator was not built, and Earshot works without it: ${why}\n`);

/** Why there is none, or undefined. */
function build() {
  const flags = FLAGS[process.platform];
  if (flags === undefined) return `it is for Linux and macOS, and this is ${process.platform}`;
  rmSync(OUTPUT, { force: true });
  try {
    compile(process.env.CC || 'cc', flags);
  } catch (error) {
    return error.message;
  }
}

/** Under another name first: a half-written file is never found, and one that is loaded stays whole. */
function compile(compiler, flags) {
  const { include_dir: headers } = require('node-api-headers');
  const making = `${OUTPUT}.${process.pid}`;
  const all = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', ...flags];
  const files = ['-I', headers, '-o', making, join(__dirname, 'accelerator.c')];
  const { status, error, stderr } = spawnSync(compiler, [...all, ...files], { encoding: 'utf8' });
  if (status === 0) return renameSync(making, OUTPUT);
  rmSync(making, { force: true });
  throw new Error(`${compiler}: ${error?.code ?? (stderr.trim().split('\n')[0] || `ended with ${status}`)}`);
}
