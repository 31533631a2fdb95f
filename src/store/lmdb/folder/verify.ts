// Looks through a data folder and prints what is wrong with it. A program of its own: what is damaged may end the
// process that reads it.
import type { Environment, LogRecord } from '../environment.js';
import { openEnvironment } from '../environment.js';

const [, , path = ''] = process.argv;
const fault = faultOf(openEnvironment({ path, fsync: false, readOnly: true }));
if (fault !== undefined) process.stdout.write(fault);
process.exitCode = fault === undefined ? 0 : 1;

function faultOf(tables: Environment): string | undefined {
  if (Object.values(tables).includes(undefined)) return undefined; // it was made, and nothing was ever written
  const { root, channels, messages, producers, leftovers, totals } = tables;
  const within = { transaction: root.useReadTransaction() };
  const all = totals.get('totals', within)?.channels ?? 0;
  let count = 0;
  for (const { key, value } of channels.getRange(within)) {
    count++;
    if (!isWhole(value)) return `what is kept of the channel ${key} cannot be read`;
    const { id, state } = value;
    const start: [number, number] = [id, state.startSeq + 1];
    const end: [number, number] = [id, state.tailSeq + 1];
    const missing = state.tailSeq - state.startSeq - messages.getKeysCount({ ...within, start, end });
    if (missing !== 0) return `${missing} messages of the channel ${key} are not there`;
  }
  if (count !== all) return `of ${all} channels ${count} are there`;
  for (const table of [producers, leftovers]) table.getKeysCount(within);
  return undefined;
}

function isWhole({ id, cutSeq, state }: LogRecord): boolean {
  const { epoch, startSeq, tailSeq } = state;
  return [id, cutSeq, startSeq, tailSeq].every(Number.isSafeInteger) && typeof epoch === 'string';
}
