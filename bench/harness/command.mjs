// What the commands that measure works have in common: their options, what has to be there, the report and the file.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from './native.mjs';
import { reportOf } from './report.mjs';

/**
 * Runs the works of a folder that are asked for, in this order (what isn't named there comes after it), and prints and writes
 * what came of them. `heading(bench)` is said first; `needsPrograms`: there is no doing without the load in C. With `--document`
 * the tables are written into a document as well, each where it has `<!-- work -->`.
 */
export async function measureWorks({ folder, order, out, heading, needsPrograms = false }) {
  const values = optionsOf(out);
  const works = worksWanted(
    folder,
    order,
    values.only?.flatMap((text) => text.split(',')),
  );
  install();
  const bench = {
    quick: values.quick,
    programs: programsIfAny(needsPrograms),
    profiles: values['cpu-prof'],
    turns: turnsWanted(values),
  };
  const machine = `${availableParallelism()} cores, ${process.platform}, Node ${process.versions.node}`;
  console.log(
    `${machine}${bench.quick ? ', quick: fewer readers than the titles say, fewer peers, few and short windows' : ''}\n` +
      `${await heading(bench)}\n` +
      'Median (quartiles). * some windows in it were disturbed, and there were not enough others.\n',
  );
  const results = {};
  const write = () => {
    mkdirSync(dirname(values.out), { recursive: true });
    const seen = { machine, quick: bench.quick, ...bench.turns, works: results };
    writeFileSync(values.out, `${JSON.stringify(seen, null, 2)}\n`);
  };
  for (const name of works) {
    const { title, run } = await import(new URL(`${name}.mjs`, folder).href);
    const began = performance.now();
    results[name] = { title, ...(await run(bench)) };
    console.log(`## ${title}\n\n${reportOf(results[name])}\n`);
    console.error(`${name}: ${Math.round((performance.now() - began) / 1000)} s`);
    write(); // what is there is there, if a later one fails
  }
  console.log(`written to ${values.out}`);
  if (values.document !== undefined) writeInto(values.document, results);
  return results;
}

/** What has no place there is left out. */
function writeInto(document, results) {
  let text = readFileSync(document, 'utf8');
  for (const [name, result] of Object.entries(results)) {
    const [begins, ends] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [before, rest] = text.split(begins);
    if (rest?.includes(ends))
      text = [before, begins, '\n', reportOf(result), '\n', ends, rest.split(ends)[1]].join('');
  }
  writeFileSync(document, text);
}

function optionsOf(out) {
  const path = fileURLToPath(new URL(`../../artifacts/bench/${out}`, import.meta.url));
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      tries: { type: 'string' },
      'cpu-prof': { type: 'string' },
      document: { type: 'string' },
      out: { type: 'string', default: path },
    },
  });
  return values;
}

function worksWanted(folder, order, only) {
  const there = readdirSync(folder).map((file) => file.replace(/\.mjs$/, ''));
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const unknown = only?.find((name) => !there.includes(name));
  if (unknown !== undefined) end(`there is no work ${unknown}; there are ${there.join(', ')}`);
  return (only ?? there).toSorted((a, b) => place(a) - place(b));
}

/** Where somebody says so: fewer rounds, or disturbed windows as they are. */
function turnsWanted({ rounds, tries }) {
  const said = Object.entries({ rounds, tries }).filter(([, text]) => text !== undefined);
  const turns = Object.fromEntries(said.map(([name, text]) => [name, Number(text)]));
  if (Object.values(turns).some((count) => !(count >= 1))) end('--rounds and --tries: a number from 1 on');
  return turns;
}

/** The peers have a package of their own: who only builds Earshot needs none of them. */
function install() {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  const isThere = (name) => existsSync(`${folder}node_modules/${name}/package.json`);
  if (Object.keys(dependencies).every(isThere)) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--prefix', folder], { stdio: 'inherit', cwd: folder });
  if (status !== 0) end('the peers could not be installed');
}

/** Without them the load is one in JavaScript, and Earshot is compared with its peers alone. */
function programsIfAny(areNeeded) {
  try {
    return compile();
  } catch (error) {
    const why = `its programs in C can't be compiled here (${error.message.trim()}).`;
    if (areNeeded) end(`This measurement can't be had: ${why}`);
    console.log(`There is no floor, and the load is a slow one: ${why}`);
    return {};
  }
}

function end(why) {
  console.error(why);
  process.exit(1);
}
