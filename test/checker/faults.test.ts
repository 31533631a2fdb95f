import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HistoryFile } from '../../src/cli/check/history/file.js';
import { judgeFile } from '../../src/cli/check/judge/judge.js';
import { Random } from '../../src/cli/check/load/random.js';
import { runCheck } from '../../src/cli/check/load/run.js';
import { verdictText } from '../../src/cli/check/report.js';
import { ROOT } from '../support/spawn.js';
import { targetOf, token } from './live.js';
import { Trouble } from './trouble.js';

const SECONDS = 60;
/** Where the history of a run that failed is left. */
const KEPT = join(ROOT, 'artifacts/checker');

t.setTimeout(180_000);

t.test(
  'a minute of kills, cuts, stalls and delays, on the durable store → everything as promised',
  async (t) => {
    const seed = process.env['EARSHOT_CHECK_SEED'] ?? String(Date.now());
    t.comment(`seed ${seed}`);
    const trouble = await Trouble.start(t, {
      authenticated: ['subscribe', 'publish', 'history', 'manage'],
      random: new Random(`${seed} faults`),
      everyMs: [100, 1500],
      killsForMs: SECONDS * 1000,
    });
    mkdirSync(KEPT, { recursive: true });
    const file = new HistoryFile(join(KEPT, `faults-${seed}.jsonl`));
    await runCheck({
      target: targetOf(trouble.url, token()),
      denied: { target: targetOf(trouble.url), channels: [] },
      ...{ seed, seconds: SECONDS, publishers: 4, readers: 6, channels: 3, prefix: 'check' },
      note: file.write,
      faults: trouble.make,
    });
    file.close();
    const verdict = await judgeFile(file.path);
    t.comment(JSON.stringify(trouble.counts), verdictText(verdict));
    t.ok(verdict.clean, `clean; if not, the history is in ${file.path}`);
    t.ok(trouble.counts.kill >= 5, 'it was killed, and again');
    for (const what of ['cut', 'stall', 'delay'] as const) t.ok(trouble.counts[what] > 0, what);
    for (const name of ['kept', 'once', 'permission', 'gap'] as const)
      t.ok(verdict.promises[name].checked >= 100, `${name}: ${verdict.promises[name].checked} looked at`);
    if (verdict.clean) rmSync(file.path);
  },
);
