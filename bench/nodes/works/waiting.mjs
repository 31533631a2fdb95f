import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { short } from '../../harness/report.mjs';
import { connectSide, startSide } from '../../harness/sides.mjs';
import { ask } from '../../processes.mjs';

export const title = 'A session that waits: its pings, and what the kernel keeps for its socket';

const EVERY_MS = 1000;
const SIDES = [
  ['a ping a second', String(EVERY_MS)],
  ['no pings', '86400000'],
];

/** Ping and pong are the difference between the two, for each second. Nobody publishes; what is measured doesn't need Redis. */
export async function run(bench) {
  const seconds = bench.quick ? 2 : 8;
  const sessions = bench.quick ? 2000 : 9000;
  const seen = {};
  for (const [what, everyMs] of SIDES) {
    const flags = ['--ping-interval-ms', everyMs, '--pong-timeout-ms', String(EVERY_MS * 0.9)];
    const side = await startSide(bench, 'earshot', { mode: 'fan', flags });
    try {
      const before = slabKib();
      await connectSide(side, { readers: sessions, publishers: 0 });
      const after = slabKib();
      await wait(2 * EVERY_MS); // until the pings are in their stride
      const began = await ask(side.server, 'cpu');
      await wait(seconds * 1000);
      const ended = await ask(side.server, 'cpu');
      seen[what] = {
        cpuUs: (ended.cpuUs - began.cpuUs) / seconds / sessions,
        kernelKib: (after - before) / sessions,
      };
    } finally {
      await side.stop();
    }
  }
  return {
    heads: ['', 'CPU for each session and second, µs', 'in the kernel for both ends of a connection, KiB'],
    rows: Object.entries(seen).map(([what, { cpuUs, kernelKib }]) => [what, short(cpuUs), short(kernelKib)]),
    seen,
    checks: [],
  };
}

/** What the kernel has given out: with other work on the machine it says little. */
function slabKib() {
  return Number(/^Slab: *(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
}
