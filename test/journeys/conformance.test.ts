import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import { appOn } from '../support/app.js';
import { redisServer } from '../support/redis.js';
import { dataFolder, ROOT, runProcess } from '../support/spawn.js';
import { startWorkers } from '../support/workers.js';

// The suite waits for long-polls to end and lifetimes to pass: some 20 s where nothing else runs.
t.setTimeout(300_000);

const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
const SUITE_MS = 240_000;
/** For how long a long-poll waits here: the suite sits through several of them. */
const LONG_POLL_MS = 1000;
const PASSED = 332;
/** What no server needs to have, and this one hasn't: webhooks and pulled subscriptions. */
const NOT_SERVED = { suite: 'Reserved subscription APIs', count: 6 };

/** The stores that the suite is run against: for each the options of its server, without which it is the memory store. */
const STORES: Readonly<Record<string, (t: Test) => Promise<EarshotOptions>>> = {
  memory: async () => ({}),
  lmdb: async (t) => ({ store: 'lmdb', data: dataFolder(t) }),
  redis: async (t) => ({ store: (await redisServer(t)).url }),
};

/** A run of the suite, and of the report of vitest what is looked at. */
interface Report {
  readonly code: number | null;
  readonly said: string;
  readonly files: readonly { readonly message: string; readonly assertionResults: readonly Outcome[] }[];
}

interface Outcome {
  readonly status: string;
  readonly ancestorTitles: readonly string[];
  readonly fullName: string;
  readonly failureMessages: readonly string[];
}

// The suite does little but wait: one server doesn't have to wait for the other.
t.jobs = Object.keys(STORES).length + 2;

for (const [name, optionsOf] of Object.entries(STORES)) {
  t.test(`conformance / ${name} store, development → the whole suite`, { buffered: true }, async (t) => {
    await conforms(t, await optionsOf(t));
  });
}

t.test('conformance / rules that let anybody manage → the whole suite', { buffered: true }, async (t) => {
  const rule: NonNullable<EarshotOptions['channels']>[string] = {
    anonymous: ['subscribe', 'publish', 'history', 'manage'],
  };
  await conforms(t, { dev: false, anonymous: true, channels: { '**': rule } });
});

t.test(
  'conformance / two workers that share the lmdb store → the whole suite',
  { buffered: true },
  async (t) => {
    const { url } = await startWorkers(t, { args: ['--long-poll-timeout-ms', String(LONG_POLL_MS)] });
    await passes(t, url);
  },
);

async function conforms(t: Test, options: EarshotOptions): Promise<void> {
  const { url } = await appOn(t, { longPollTimeoutMs: LONG_POLL_MS, ...options });
  await passes(t, url);
}

async function passes(t: Test, url: string): Promise<void> {
  const { code, said, files } = await runSuite(t, url);
  for (const { message } of files) if (message !== '') t.fail('the suite itself', { found: message });
  const outcomes = files.flatMap(({ assertionResults }) => assertionResults);
  const named = (status: string) => outcomes.filter((each) => each.status === status);
  for (const { fullName, failureMessages } of named('failed')) {
    t.fail(fullName, { found: failureMessages.join('\n') });
  }
  t.equal(named('passed').length, PASSED, 'passed');
  const skipped = outcomes.filter(({ status }) => status !== 'passed' && status !== 'failed');
  const others = skipped.filter(({ ancestorTitles }) => !ancestorTitles.includes(NOT_SERVED.suite));
  t.equal(skipped.length, NOT_SERVED.count, 'skipped');
  t.equal(others[0]?.fullName, undefined, 'no other is skipped');
  t.equal(code, 0, said);
}

/** Runs the suite against a server, to its end. What vitest keeps for itself goes with the test. */
async function runSuite(t: Test, url: string): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-conformance-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const report = join(folder, 'report.json');
  const config = ['--config=test/conformance/vitest.config.mjs', '--configLoader=native'];
  const { code, stdout, stderr } = await runProcess(
    process.execPath,
    [VITEST, 'run', ...config, '--reporter=json', `--outputFile=${report}`],
    {
      env: {
        EARSHOT_SUITE_URL: url,
        EARSHOT_SUITE_LONG_POLL_MS: String(LONG_POLL_MS),
        NODE_OPTIONS: undefined, // those of tap: vitest loads TypeScript by itself
        TMPDIR: folder,
      },
      timeoutMs: SUITE_MS,
    },
  );
  const said = stdout + stderr;
  if (!existsSync(report)) throw new Error(`vitest ended without a report: ${said}`);
  return { code, said, files: JSON.parse(readFileSync(report, 'utf8')).testResults };
}
