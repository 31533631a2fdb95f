// What `npm test` runs. Options: --quick (on this Node only); file names go to tap, on this Node only.
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { coverageOf } from './coverage.mjs';
import { emptyEvidence, searchEvidence } from './leaks.mjs';
import { environmentOf, otherNode } from './other-node.mjs';
import { prerequisites } from './prerequisites.mjs';
import { bin, ended, ROOT, run, start } from './process.mjs';
import { createTally, describeFailure } from './tally.mjs';

const ARTIFACTS = join(ROOT, 'artifacts');
/** Fewer, and there was nothing to find: the search must not pass by being empty. */
const FLOORS = { minSecrets: 300, minLines: 3000 };
const WITH_COVERAGE = ['--coverage-report=json-summary', '--allow-incomplete-coverage'];
const WITHOUT_COVERAGE = ['--disable-coverage'];
/** Chance for a minute or more, or thousands of clients: done once. What they are made of is tested on each Node. */
const LONG = [
  'test/checker/faults.test.ts',
  'test/checker/nodes.test.ts',
  'test/journeys/rolling-restarts.test.ts',
].map((file) => `--exclude=${file}`);

const { values: options, positionals: files } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const isWhole = files.length === 0;
const total = { passed: 0, failed: 0 };

process.exitCode = await main();

async function main() {
  if (!(await prepare())) return 1;
  if (await checkTheSources()) await testOnEachNode();
  else say('the tests were not run: there is no build to run them on');
  say(`${total.passed} passed, ${total.failed} failed`);
  return total.failed > 0 ? 1 : 0;
}

async function prepare() {
  try {
    await timed('prerequisites', async () => Object.assign(process.env, prerequisites()));
    return true;
  } catch (error) {
    say(error.message);
    return false;
  }
}

/** Build, types and lint, each of them one test. True where there is a build to go on with. */
async function checkTheSources() {
  const isBuilt = await check('build', 'npm', ['run', '--silent', 'build']);
  for (const project of ['tsconfig.json', 'src/client/tsconfig.json', 'test/tsconfig.json']) {
    await check(`types of ${project}`, process.execPath, [
      bin('typescript', 'tsc'),
      '--noEmit',
      '-p',
      project,
    ]);
  }
  await check('lint', process.execPath, [
    bin('@biomejs/biome', 'biome'),
    'check',
    '--error-on-warnings',
    '.',
  ]);
  return isBuilt;
}

async function testOnEachNode() {
  await test(process.execPath, process.version, isWhole ? WITH_COVERAGE : WITHOUT_COVERAGE);
  if (isWhole) checkCoverage();
  if (!isWhole || options.quick) return;
  try {
    const { path, version } = await timed('the other Node', otherNode);
    await test(path, version, [...WITHOUT_COVERAGE, ...LONG]);
  } catch (error) {
    fail(error.message, error.cause ?? error.stack);
  }
}

/** Runs a command as one test. */
async function check(name, file, arguments_) {
  const { code, output } = await timed(name, () => run(file, arguments_));
  if (code !== 0) fail(`${name} failed`, output);
  else total.passed++;
  return code === 0;
}

/** Runs the tests under one Node, and keeps the raw TAP under artifacts/. */
async function test(node, version, coverage) {
  emptyEvidence(ARTIFACTS);
  const { passed, failures, code } = await timed(`tests on Node ${version}\n`, async () => {
    const tally = createTally(sayFile);
    const child = start(node, [bin('tap', 'tap'), '--reporter=tap', ...coverage, ...files], {
      env: environmentOf(node),
    });
    child.stdout.pipe(keep(`node-${version}.tap`));
    child.stdout.pipe(tally.stream);
    const [status] = await Promise.all([ended(child), finished(tally.stream, { readable: false })]);
    return { ...tally.result(), code: status };
  });
  total.passed += passed;
  for (const failure of failures) fail(describeFailure(failure));
  if (passed + failures.length === 0) fail(`✖ tap on Node ${version} ran no test`);
  else if (code !== 0 && failures.length === 0) fail(`✖ tap on Node ${version} ended with code ${code}`);
  if (isWhole) checkLogs();
}

/** One more test: what the servers under test logged holds no secret of the tests. */
function checkLogs() {
  const { faults, secrets, lines } = searchEvidence(ARTIFACTS, FLOORS);
  const what = `no secret in the logs: ${secrets} secrets, ${lines} lines`;
  if (faults.length > 0) fail(`✖ ${what}`, faults.join('\n'));
  else {
    total.passed++;
    say(`  ✓ ${what}`);
  }
}

function checkCoverage() {
  const { coverageFloors } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).earshot;
  const rows = coverageOf(coverageFloors);
  say(`lines covered: ${rows.map((row) => `${row.folder} ${row.percent.toFixed(1)} %`).join(', ')}`);
  if (rows.every((row) => row.percent === 0))
    say('tap kept none: did another tap run in this folder meanwhile?');
  for (const row of rows.filter((each) => !each.ok)) {
    fail(`✖ the coverage of ${row.folder} is below its floor of ${row.floor} % (package.json, "earshot")`);
  }
}

function keep(name) {
  const folder = join(ARTIFACTS, 'tap');
  mkdirSync(folder, { recursive: true });
  return createWriteStream(join(folder, name));
}

function sayFile({ name, passed, failures, timeMs }) {
  const failed = failures.length > 0 ? `, ${failures.length} failed` : '';
  say(`  ${failed ? '✖' : '✓'} ${name}: ${passed} passed${failed} (${seconds(timeMs)})`);
}

function fail(heading, details = '') {
  total.failed++;
  say([heading, details.trimEnd()].filter(Boolean).join('\n'));
}

async function timed(heading, work) {
  const since = performance.now();
  process.stdout.write(`${heading}… `.replace('\n… ', '\n'));
  try {
    return await work();
  } finally {
    say(seconds(performance.now() - since));
  }
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
