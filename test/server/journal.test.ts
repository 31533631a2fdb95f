import t from 'tap';
import { LogJournal } from '../../src/server/report/journal.js';

/** A journal whose time stands still until it is told to pass, and the lines it wrote. */
function journal() {
  const lines: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  let uptimeMs = 1000;
  const log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
  const pass = (ms: number) => {
    uptimeMs += ms;
  };
  return { made: new LogJournal(log, () => uptimeMs), lines, pass };
}

t.test(
  'refused / the same cause again within a minute → one line; the next tells how many it stands for',
  async (t) => {
    const { made, lines, pass } = journal();
    for (let each = 0; each < 1000; each++) made.refused('connect: rate_limited', { address: '192.0.2.1' });
    t.strictSame(lines, [
      { level: 'info', message: 'refused', fields: { cause: 'connect: rate_limited', address: '192.0.2.1' } },
    ]);
    pass(59_999);
    made.refused('connect: rate_limited', { address: '192.0.2.2' });
    t.equal(lines.length, 1, 'not yet');
    pass(1);
    made.refused('connect: rate_limited', { address: '192.0.2.3' });
    t.strictSame(lines[1]?.fields, {
      cause: 'connect: rate_limited',
      address: '192.0.2.3',
      unsaidBefore: 1000,
    });
    pass(60_000);
    made.refused('connect: rate_limited', {});
    t.strictSame(
      lines[2]?.fields,
      { cause: 'connect: rate_limited' },
      'nothing was left out before this one',
    );
  },
);

t.test('refused / another cause → a line of its own', async (t) => {
  const { made, lines } = journal();
  for (const cause of ['connect: forbidden', 'connect: too_many', 'connect: forbidden'])
    made.refused(cause, {});
  t.strictSame(
    lines.map(({ fields }) => fields),
    [{ cause: 'connect: forbidden' }, { cause: 'connect: too_many' }],
  );
});

t.test('refused / more causes than there are → those beyond a thousand are not told', async (t) => {
  const { made, lines } = journal();
  for (let at = 0; at < 2000; at++) made.refused(`cause ${at}`, {});
  t.equal(lines.length, 1000);
});

t.test(
  'lines / whatever else the context holds → session, request, channel and address are told',
  async (t) => {
    const { made, lines } = journal();
    const told = { session: 's', request: 'r', channel: 'a', address: '192.0.2.1' };
    const context = { ...told, caller: { user: 'ann', claims: { secret: 1 } }, token: 'a token' };
    const error = new Error('broken');
    made.refused('cause', context);
    made.session('began', context);
    made.session('ended', { ...context, cause: 'timeout' });
    made.error(error, context);
    t.strictSame(lines, [
      { level: 'info', message: 'refused', fields: { cause: 'cause', ...told } },
      { level: 'debug', message: 'session began', fields: told },
      { level: 'debug', message: 'session ended', fields: { ...told, cause: 'timeout' } },
      { level: 'error', message: 'earshot failed', fields: { err: error, ...told } },
    ]);
  },
);
