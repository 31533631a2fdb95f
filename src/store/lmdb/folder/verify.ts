// Looks through a data folder and prints what is wrong with it. A program of its own: what is damaged may end the
// process that reads it.
import type { RangeOptions } from 'lmdb';
import { ABORT } from 'lmdb';
import type { Environment, LogRecord } from '../environment.js';
import { openEnvironment } from '../environment.js';

/** Some hundred pages. */
const TRIAL_MESSAGES = 200;
const TRIAL_BYTES = 3000;

const [, , path = ''] = process.argv;
const tables = openEnvironment({ path, fsync: false });
const fault = faultOf(tables);
if (fault === undefined) tryToWrite(tables);
else process.stdout.write(fault);
process.exitCode = fault === undefined ? 0 : 1;

function faultOf({ channels, messages, totals, ...others }: Environment): string | undefined {
  let count = 0;
  for (const { key, value } of channels.getRange()) {
    count++;
    if (!isWhole(value)) return `what is kept of the channel ${key} cannot be read`;
    const missing = missingOf(value, messages);
    if (missing !== 0) return `${missing} messages of the channel ${key} are not there`;
  }
  const all = totals.get('totals')?.channels ?? 0;
  if (count !== all) return `of ${all} channels ${count} are there`;
  for (const table of [others.blank, others.producers, others.leftovers, others.owners])
    for (const { value } of table.getRange()) if (value === undefined) return 'a part of it cannot be read';
  return undefined;
}

function isWhole({ id, cutSeq, state }: LogRecord): boolean {
  const { epoch, startSeq, tailSeq } = state;
  return [id, cutSeq, startSeq, tailSeq].every(Number.isSafeInteger) && typeof epoch === 'string';
}

/** How many messages of a log are not where they belong, or are none. */
function missingOf({ id, state }: LogRecord, messages: Environment['messages']): number {
  const range = { start: [id, state.startSeq + 1], end: [id, state.tailSeq + 1] } satisfies RangeOptions;
  let missing = state.tailSeq - state.startSeq;
  for (const { value } of messages.getRange(range)) if (Array.isArray(value) && value.length >= 4) missing--;
  return missing;
}

/** Of what is free in the file one finds out by taking it. Nothing of this is kept. */
function tryToWrite({ root, messages, owners, totals }: Environment): void {
  root.transactionSync(() => {
    owners.put('owner', '');
    totals.put('totals', { usedBytes: 0, channels: 0, lastEpochAt: 0, lastId: 0 });
    for (let seq = 1; seq <= TRIAL_MESSAGES; seq++)
      messages.put([0, seq], ['', 0, 0, ' '.repeat(TRIAL_BYTES)]);
    return ABORT;
  });
}
