import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HistoryFile } from '../../src/cli/check/history/file.js';
import { judgeFile } from '../../src/cli/check/judge/judge.js';
import { Random } from '../../src/cli/check/load/random.js';
import { runCheck } from '../../src/cli/check/load/run.js';
import { verdictText } from '../../src/cli/check/report.js';
import { ROOT } from '../support/spawn.js';
import { targetOf, token } from './live.js';
import { Memory } from './memory.js';
import { NodesTrouble } from './nodes-trouble.js';
import { Trouble } from './trouble.js';

const HELP = `usage: npm run soak -- [--minutes 30] [--seed 1] [--nodes]
Checks a server on the durable store for so long, with kills in the first quarter, and with cuts, stalls and delays
throughout. Prints the verdict, and how the memory of the process that lived on has grown. With --nodes it is two nodes
on one Redis, and throughout nodes are killed and paused, their way to Redis is cut and stalled, and Redis is killed
and comes back, with its data or without; prints the verdict. Exits with 1 where a promise was broken: then the history
is kept.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    nodes: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now()) },
    help: { type: 'boolean', default: false },
  },
});
process.exitCode = values.help ? usage(0) : await main(Number(values.minutes), values.seed);

async function main(minutes: number, seed: string): Promise<number> {
  if (!(minutes > 0)) return usage(2);
  const work: (() => unknown)[] = [];
  const t = { teardown: (undo: () => unknown) => work.unshift(undo) };
  try {
    return await soak(t, minutes * 60, seed);
  } finally {
    for (const undo of work) await undo();
  }
}

/** 0 where everything was as promised. */
async function soak(t: Parameters<typeof Trouble.start>[0], seconds: number, seed: string): Promise<number> {
  console.log(`seed ${seed}`);
  const everyMs = [500, 4000] as const;
  const authenticated = ['subscribe', 'publish', 'history']; // its channels have the default retention: the log is bounded
  const trouble = values.nodes
    ? await NodesTrouble.start(t, { random: new Random(`${seed} nodes`), everyMs, authenticated })
    : await Trouble.start(t, {
        ...{ random: new Random(`${seed} faults`), everyMs, authenticated },
        killsForMs: (seconds * 1000) / 4,
      });
  const memory = new Memory(() => trouble.pid);
  t.teardown(() => memory.stop());
  mkdirSync(join(ROOT, 'artifacts/checker'), { recursive: true });
  const file = new HistoryFile(join(ROOT, `artifacts/checker/soak-${seed}.jsonl`));
  await runCheck({
    target: targetOf(trouble.url, token()),
    denied: { target: targetOf(trouble.url), channels: [] },
    ...{ seed, seconds, publishers: 4, readers: 6, channels: 3, prefix: 'check' },
    note: file.write,
    faults: trouble.make,
    say: (words) => process.stdout.isTTY && console.log(words),
  });
  memory.stop();
  file.close();
  const verdict = await judgeFile(file.path);
  console.log(JSON.stringify(trouble.counts));
  console.log(verdictText(verdict));
  if (!values.nodes) console.log(memory.text()); // of nodes none lives on
  if (verdict.clean) rmSync(file.path);
  else console.log(`the history is in ${file.path}`);
  return verdict.clean ? 0 : 1;
}

function usage(code: number): number {
  console.log(HELP);
  return code;
}
