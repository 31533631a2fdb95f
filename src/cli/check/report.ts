import { columns } from '../io.js';
import type { Verdict, Violation } from './judge/findings.js';
import { PROMISE_NAMES, PROMISES } from './judge/findings.js';

const MAX_TOLD = 20;
const MAX_LINES = 6;

/** A verdict for people: a line for each promise, and what shows that one was broken. */
export function verdictText({ promises, violations, faults }: Verdict): string {
  const rows = PROMISE_NAMES.map((name) => {
    const { status, checked, violations: count } = promises[name];
    const seen = status === 'broken' ? `${count} times, of ${checked} looked at` : `${checked} looked at`;
    return [status, name, seen, PROMISES[name]];
  });
  return [columns(rows), ...violations.slice(0, MAX_TOLD).map(lineOf), ...faults.slice(0, MAX_TOLD)].join(
    '\n',
  );
}

function lineOf({ promise, what, lines }: Violation): string {
  const shown = lines.slice(0, MAX_LINES).join(', ');
  return `${promise}: ${what} (${lines.length === 1 ? 'line' : 'lines'} ${shown})`;
}
