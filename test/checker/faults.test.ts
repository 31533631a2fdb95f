import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { HistoryFile } from '../../src/cli/check/history/file.js';
import { judgeFile } from '../../src/cli/check/judge/judge.js';
import { Random } from '../../src/cli/check/load/random.js';
import { runCheck } from '../../src/cli/check/load/run.js';
import { verdictText } from '../../src/cli/check/report.js';
import { ROOT } from '../support/spawn.js';
import { targetOf, token } from './live.js';
import { lastLife, slopePerHour } from './memory.js';
import { Trouble } from './trouble.js';

/** At least, of what makes the run worth something; a busy machine does less. */
const LOOKED_AT = 20;
/** Where the history of a run that failed is left. */
const KEPT = join(ROOT, 'artifacts/checker');

t.setTimeout(240_000);

interface Given {
  readonly name: string;
  readonly seconds: number;
  readonly everyMs: readonly [number, number];
  readonly workers?: number;
}

/** The checker against a server that is troubled all the while: nothing that is promised is broken. */
async function holds(t: Test, { name, seconds, everyMs, ...more }: Given) {
  const seed = process.env['EARSHOT_CHECK_SEED'] ?? String(Date.now());
  t.comment(`seed ${seed}`);
  const trouble = await Trouble.start(t, {
    authenticated: ['subscribe', 'publish', 'history', 'manage'],
    random: new Random(`${seed} ${name}`),
    everyMs,
    killsForMs: seconds * 1000,
    ...more,
  });
  mkdirSync(KEPT, { recursive: true });
  const file = new HistoryFile(join(KEPT, `${name}-${seed}.jsonl`));
  await runCheck({
    target: targetOf(trouble.url, token()),
    denied: { target: targetOf(trouble.url), channels: [] },
    isWhole: true,
    ...{ seed, seconds, publishers: 4, readers: 6, channels: 3, prefix: 'check' },
    note: file.write,
    faults: trouble.make,
  });
  file.close();
  const verdict = await judgeFile(file.path);
  t.comment(JSON.stringify(trouble.counts), verdictText(verdict));
  t.ok(verdict.clean, `clean; if not, the history is in ${file.path}`);
  if (verdict.clean) rmSync(file.path);
  return { counts: trouble.counts, promises: verdict.promises };
}

t.test(
  'a minute of kills, cuts, stalls and delays, on the durable store → everything as promised',
  async (t) => {
    const { counts, promises } = await holds(t, { name: 'faults', seconds: 60, everyMs: [100, 1500] });
    t.ok(counts.kill >= 5, 'it was killed, and again');
    for (const what of ['cut', 'stall', 'delay'] as const) t.ok(counts[what] > 0, what);
    for (const name of ['kept', 'once', 'permission', 'gap'] as const)
      t.ok(promises[name].checked >= LOOKED_AT, `${name}: ${promises[name].checked} looked at`);
  },
);

t.test('kills and restarts of two workers, and cuts → everything as promised', async (t) => {
  const given = { name: 'workers', seconds: 20, everyMs: [100, 1000], workers: 2 } as const;
  const { counts, promises } = await holds(t, given);
  t.ok(counts.kill + counts.restart >= 3, 'workers ended, and again');
  t.ok(promises.kept.checked > 0);
});

t.test('the memory of the soak / of the last process, without its beginning → the slope', async (t) => {
  const hourMs = 3_600_000;
  const line = (at: number): [number, number] => [at * hourMs, 7 + 3 * at];
  t.equal(slopePerHour([0, 1, 2, 5].map(line)), 3);
  t.equal(slopePerHour([]), 0);
  t.equal(slopePerHour([line(1)]), 0);
  const sample = (pid: number, atMs: number) => ({ pid, atMs, rssBytes: 1, anonymousBytes: 1 });
  const samples = [...[1, 2, 3].map((at) => sample(7, at)), ...[4, 5, 6].map((at) => sample(8, at))];
  t.strictSame(lastLife(samples), samples.slice(4));
});
