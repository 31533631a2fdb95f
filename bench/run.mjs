// `npm run bench`: Earshot and its peers on the same works, side by side. See README.md beside this file.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from './harness/native.mjs';
import { reportOf } from './harness/report.mjs';

/** In the order in which they are shown; what is not named here comes after them. */
const ORDER = [
  'single',
  'bursts',
  'bursts-of-many',
  'channels',
  'answers',
  'http',
  'rate',
  'flush',
  'idle',
  'storm',
  'sse',
  'long-poll',
  'stores',
  'log',
  'flat',
  'workers',
];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    tries: { type: 'string' },
    'cpu-prof': { type: 'string' },
    out: {
      type: 'string',
      default: fileURLToPath(new URL('../artifacts/bench/results.json', import.meta.url)),
    },
  },
});
const names = worksWanted(values.only?.flatMap((text) => text.split(',')));
install();
const bench = {
  quick: values.quick,
  programs: programsIfAny(),
  profiles: values['cpu-prof'],
  turns: turnsWanted(),
};
const machine = `${availableParallelism()} cores, ${process.platform}, Node ${process.versions.node}`;
const { RAISED } = await import('./peers/earshot.mjs');
console.log(
  `${machine}${bench.quick ? ', quick: fewer readers than the titles say, fewer peers, few and short windows' : ''}\n` +
    `Earshot's defaults, but for ${RAISED.join(' ')}: one publisher says what many users would.\n` +
    'Median (quartiles). * some windows in it were disturbed, and there were not enough others.\n',
);
const results = {};
for (const name of names) {
  const { title, run } = await import(`./works/${name}.mjs`);
  const began = performance.now();
  results[name] = { title, ...(await run(bench)) };
  console.log(`${reportOf(results[name])}\n`);
  console.error(`${name}: ${Math.round((performance.now() - began) / 1000)} s`);
  write(); // what is there is there, if a later one fails
}
console.log(`written to ${values.out}`);

function write() {
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(
    values.out,
    `${JSON.stringify({ machine, quick: bench.quick, ...bench.turns, works: results }, null, 2)}\n`,
  );
}

function worksWanted(only) {
  const there = readdirSync(new URL('works/', import.meta.url)).map((file) => file.replace(/\.mjs$/, ''));
  const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  const unknown = only?.find((name) => !there.includes(name));
  if (unknown !== undefined) end(`there is no work ${unknown}; there are ${there.join(', ')}`);
  return (only ?? there).toSorted((a, b) => place(a) - place(b));
}

/** Where somebody says so: fewer rounds, or disturbed windows as they are. */
function turnsWanted() {
  const said = Object.entries({ rounds: values.rounds, tries: values.tries }).filter(
    ([, text]) => text !== undefined,
  );
  const turns = Object.fromEntries(said.map(([name, text]) => [name, Number(text)]));
  if (Object.values(turns).some((count) => !(count >= 1))) end('--rounds and --tries: a number from 1 on');
  return turns;
}

/** The peers have a package of their own: who only builds Earshot needs none of them. */
function install() {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--prefix', folder], { stdio: 'inherit', cwd: folder });
  if (status !== 0) end('the peers could not be installed');
}

/** Without them the load is one in JavaScript, and Earshot is compared with its peers alone. */
function programsIfAny() {
  try {
    return compile();
  } catch (error) {
    console.log(
      `There is no floor, and the load is a slow one: its programs in C can't be compiled here (${error.message.trim()}).`,
    );
    return {};
  }
}

function end(why) {
  console.error(why);
  process.exit(1);
}
