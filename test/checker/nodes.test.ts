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
import { NodesTrouble } from './nodes-trouble.js';

/** At least, of what makes the run worth something; a busy machine does less. */
const LOOKED_AT = 20;
/** Where the history of a run that failed is left. */
const KEPT = join(ROOT, 'artifacts/checker');
const SECONDS = 90;
/** So that all that is ever gone was lost, and whatever is said to be gone is looked into. */
const KEEPS_ALL = { messages: 1_000_000, bytes: 2 ** 32, ageMs: 24 * 3_600_000 };

t.setTimeout(240_000);

t.test(
  'two nodes on one Redis / kills and pauses of nodes, cuts and stalls of their way to Redis, kills of Redis, with its data and without → everything as promised',
  async (t) => {
    const seed = process.env['EARSHOT_CHECK_SEED'] ?? String(Date.now());
    t.comment(`seed ${seed}`);
    const trouble = await NodesTrouble.start(t, {
      random: new Random(`${seed} nodes`),
      everyMs: [200, 2000],
      authenticated: ['subscribe', 'publish', 'history', 'manage'],
      rule: { retention: KEEPS_ALL },
    });
    mkdirSync(KEPT, { recursive: true });
    const file = new HistoryFile(join(KEPT, `nodes-${seed}.jsonl`));
    const run = await runCheck({
      target: targetOf(trouble.url, token()),
      denied: { target: targetOf(trouble.url), channels: [] },
      isWhole: true,
      ...{ seed, seconds: SECONDS, publishers: 4, readers: 6, channels: 3, prefix: 'check' },
      note: file.write,
      faults: trouble.make,
    });
    file.close();
    const verdict = await judgeFile(file.path);
    const { counts } = trouble;
    const deliveries = run.history.countOf('read.received');
    const accepted = run.history.countOf('publish.accepted');
    t.comment(JSON.stringify({ ...counts, accepted, deliveries }), verdictText(verdict));
    t.ok(verdict.clean, `clean; if not, the history is in ${file.path}`);
    if (verdict.clean) rmSync(file.path);
    for (const [what, times] of Object.entries(counts)) t.ok(times > 0, what);
    for (const name of ['kept', 'once', 'permission', 'gap'] as const)
      t.ok(
        verdict.promises[name].checked >= LOOKED_AT,
        `${name}: ${verdict.promises[name].checked} looked at`,
      );
  },
);
