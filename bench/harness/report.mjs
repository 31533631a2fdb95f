// What was seen, in tables for people.
import { table } from '../processes.mjs';

const COLUMNS = [
  ['timesFloor', 'CPU, × floor'],
  ['cpuUs', 'CPU, µs'],
  ['perSecond', 'a second'],
  ['p50Ms', 'p50, ms'],
  ['p99Ms', 'p99, ms'],
];

/** One work: its table, and its targets. */
export function reportOf({ notes = [], rows, heads, checks }) {
  const parts = [heads === undefined ? measured(rows) : table(heads, rows), ...notes];
  if (checks.length > 0) parts.push(checks.map((check) => `- ${inWords(check)}`).join('\n'));
  return parts.join('\n\n');
}

function measured(rows) {
  const columns = COLUMNS.filter(([key]) => rows.some((row) => row[key] !== undefined));
  const lines = rows.map((row) => [
    `${row.title}${row.disturbed > 0 ? ' *' : ''}`,
    ...columns.map(([key]) => (row[key] === undefined ? '–' : spread(row[key]))),
  ]);
  return table(['', ...columns.map(([, head]) => head)], lines);
}

/** A target is the most or the least that is wanted. */
function inWords({ text, most, least, seen }) {
  const wanted = most === undefined ? `at least ${least}` : `at most ${most}`;
  if (seen === undefined) return `${text}: not measured here (${wanted})`;
  const isReached = most === undefined ? seen.median >= least : seen.median <= most;
  return `${text}: ${spread(seen)}, ${wanted}: ${isReached ? 'reached' : '**missed**'}`;
}

export function spread({ low, median, high }) {
  return low === high ? short(median) : `${short(median)} (${short(low)}–${short(high)})`;
}

export function short(value) {
  if (value === 0) return '0';
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
