import t from 'tap';
import { createTally, describeFailure } from './tally.mjs';

/** What a stream comes to: how many passed, and what is said of the others. */
function count(...lines: readonly string[]) {
  const files: string[] = [];
  const tally = createTally(({ name, passed, failures }) =>
    files.push(`${name} ${passed} ${failures.length}`),
  );
  tally.stream.end(['TAP version 14', ...lines, ''].join('\n'));
  const { passed, failures } = tally.result();
  return { passed, failed: failures.map(describeFailure), files };
}

t.test('tally / subtests within subtests → the innermost are counted', async (t) => {
  const { passed, failed, files } = count(
    '# Subtest: a.test.ts',
    '    # Subtest: outer',
    '        # Subtest: inner 1',
    '            ok 1 - is fine',
    '            ok 2 - is fine too',
    '            1..2',
    '        ok 1 - inner 1',
    '        # Subtest: inner 2',
    '            not ok 1 - is not',
    '              ---',
    '              diff: |',
    '                -1',
    '                +2',
    '              ...',
    '            1..1',
    '        not ok 2 - inner 2',
    '        1..2',
    '    not ok 1 - outer',
    '    1..1',
    'not ok 1 - a.test.ts',
    '1..1',
  );
  t.equal(passed, 1);
  t.strictSame(failed, ['✖ a.test.ts > outer > inner 2\n    is not\n      -1\n      +2']);
  t.strictSame(files, ['a.test.ts 1 1']);
});

t.test('tally / a file without subtests → is one case', async (t) => {
  const { passed, failed } = count(
    '# Subtest: a.test.ts',
    '    ok 1',
    '    1..1',
    'ok 1 - a.test.ts',
    '1..1',
  );
  t.strictSame([passed, failed], [1, []]);
});

t.test('tally / skipped and to do → count as failed', async (t) => {
  const { passed, failed } = count(
    '# Subtest: a.test.ts',
    '    # Subtest: whole',
    '        ok 1 - half # TODO later',
    '        1..1',
    '    ok 1 - whole',
    '    # Subtest: fine',
    '        ok 1 - is fine',
    '        1..1',
    '    ok 2 - fine',
    '    ok 3 - other # SKIP not here',
    '    1..3',
    'ok 1 - a.test.ts',
    '1..1',
  );
  t.equal(passed, 1);
  t.strictSame(failed, [
    '✖ a.test.ts > whole\n    to do: later',
    '✖ a.test.ts > other\n    skipped: not here',
  ]);
});

t.test('tally / what goes wrong outside of a case → counts as failed', async (t) => {
  const inside = ['# Subtest: a.test.ts', '    # Subtest: fine', '        ok 1', '        1..1'];
  const crashed = count(...inside, '    ok 1 - fine', '    1..1', 'not ok 1 - a.test.ts', '1..1');
  t.strictSame([crashed.passed, crashed.failed.length], [1, 1], 'a file that fails after its cases');
  const late = count('not ok 1 - timeout!', '  ---', '  expired: a.test.ts', '  ...', '1..1');
  t.strictSame(late.failed, ['✖ timeout!\n    timeout!\n      expired: a.test.ts'], 'a file that hangs');
  const empty = count(
    '# Subtest: a.test.ts',
    '    1..0 # no tests',
    'ok 1 - a.test.ts # SKIP no tests',
    '1..1',
  );
  t.strictSame([empty.passed, empty.failed.length], [0, 1], 'a file without a test');
  t.strictSame(count('Bail out! no disk').failed, ['✖ bailed out: no disk'], 'a run that gives up');
});
