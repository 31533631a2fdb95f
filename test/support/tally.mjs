import { Parser } from 'tap-parser';

/**
 * Counts a stream of TAP. A case is a subtest that holds no other subtest: it passes when all in it does.
 * What is skipped or left to do counts as failed, and so does all that goes wrong outside of a case: a file
 * that times out, throws, or has no test.
 *
 * @param {(file: { name: string, passed: number, failures: Failure[], timeMs: number }) => void} [onFile]
 *   told of each test file as it ends
 * @typedef {{ name: string, points: import('tap-parser').Result[] }} Failure
 */
export function createTally(onFile) {
  const parser = new Parser();
  const root = collect(parser, (suite, point) => {
    onFile?.({ name: point.name, timeMs: point.time ?? 0, ...settle(suite, point) });
  });
  parser.on('bailout', (reason) => root.failures.push({ name: `bailed out: ${reason}`, points: [] }));
  return {
    stream: parser,
    /** What it came to, once the stream has ended. */
    result() {
      const failures = [...root.failures, ...root.points.map(alone)];
      return { passed: root.passed, failures };
    },
  };
}

/** One level of subtests: cases that passed, those that failed, and bad points that belong to no subtest. */
function collect(parser, onSuite) {
  const level = { passed: 0, failures: [], points: [] };
  let inner;
  parser.on('child', (child) => {
    inner = collect(child);
  });
  parser.on('assert', (point) => {
    if (!point.closingTestPoint) {
      if (isBad(point)) level.points.push(point);
      return;
    }
    const { passed, failures } = settle(inner, point);
    level.passed += passed;
    level.failures.push(...failures);
    onSuite?.(inner, point);
  });
  return level;
}

/** What a subtest came to: the sum of those in it, or, where there are none, itself. */
function settle(suite, point) {
  if (suite.passed + suite.failures.length === 0) return settleCase(suite, point);
  const failures = [...suite.failures, ...suite.points.map(alone)];
  if (failures.length === 0 && isBad(point)) failures.push(alone(point));
  return { passed: suite.passed, failures };
}

function settleCase(suite, point) {
  const points = isBad(point) && suite.points.length === 0 ? [point] : suite.points;
  if (points.length === 0) return { passed: 1, failures: [] };
  return { passed: 0, failures: [{ name: point.fullname, points }] };
}

function alone(point) {
  return { name: point.fullname, points: [point] };
}

function isBad(point) {
  return !point.ok || point.skip !== false || point.todo !== false;
}

const NOISE = new Set(['at', 'source', 'stack', 'diff', 'stdio', 'cwd', 'command', 'args', 'jobId']);

/** A failure for a person to read. */
export function describeFailure({ name, points }) {
  return [`✖ ${name}`, ...points.flatMap(describePoint)].join('\n    ');
}

function describePoint(point) {
  if (point.skip !== false) return [`skipped: ${point.skip === true ? 'without a reason' : point.skip}`];
  if (point.todo !== false) return [`to do: ${point.todo === true ? 'without a reason' : point.todo}`];
  const diag = point.diag ?? {};
  const rest = Object.entries(diag).filter(([key]) => !NOISE.has(key));
  const lines = [
    ...rest.map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`),
    ...[diag.diff, diag.source, diag.stack].filter(Boolean),
  ];
  return [point.name, ...lines.flatMap((line) => line.trimEnd().split('\n')).map((line) => `  ${line}`)];
}
