import type { Test } from 'tap';
import t from 'tap';
import type { PromiseName } from '../../src/cli/check/judge/findings.js';
import { PROMISE_NAMES } from '../../src/cli/check/judge/findings.js';
import { judge } from '../../src/cli/check/judge/judge.js';
import { but } from './scene.js';
import type { Step } from './story.js';
import { beginning, denied, historyOf, made, place, publisher, reader } from './story.js';

const p = publisher();
const q = publisher('q');
const fence = publisher('fence');
const [early, late, all] = [reader('early'), reader('late'), reader('all')];
const lateByEvents = reader('late', 'sse');

const Q = [0, 'q'] as const;
const FENCE = [0, 'fence'] as const;
const loss: Step = { by: 'faults', event: { kind: 'fault', what: 'loss' } };
/** A position in a log that began after the loss. */
const anew = (at: number, life = 'f') => `${life}_${String(at).padStart(4, '0')}`;

/** All that is stored before the loss and after it, and what each reader hears before and after. */
interface Parts {
  readonly start: readonly Step[];
  readonly before: readonly Step[];
  readonly earlyBefore: readonly Step[];
  readonly lateBefore: readonly Step[];
  readonly loss: readonly Step[];
  readonly after: readonly Step[];
  readonly earlyAfter: readonly Step[];
  readonly lateAfter: readonly Step[];
  readonly all: readonly Step[];
}

/** What `q` had no answer to is stored once more; the other has to go on in an epoch of its own. */
const CLEAN: Parts = {
  start: [
    ...[but(beginning as Step<'begin'>, { whole: true }), made, p.invoked(0, 0), p.accepted(0, place(1))],
    ...[late.began('now'), late.joined(place(1), 'none'), denied('deny.tried'), denied('deny.refused')],
  ],
  before: [
    ...[p.invoked(1, 1), p.accepted(1, place(2)), p.invoked(2, 2), p.accepted(2, place(3))],
    ...[q.invoked(0, 0), q.unknown(0)],
  ],
  earlyBefore: [
    ...[
      early.began('-1'),
      early.joined(place(0), 'none'),
      early.got(place(1), [0]),
      early.got(place(2), [1]),
    ],
    ...[early.got(place(3), [2]), early.got(place(4), Q), early.ended('cut')],
  ],
  lateBefore: [late.got(place(2), [1])],
  loss: [loss],
  after: [
    ...[q.invoked(0, 0), q.accepted(0, anew(1), null), p.invoked(3, 3), p.refused(3)],
    ...[p.invoked(4, 0, 1), p.accepted(4, anew(2)), fence.invoked(0, 0), fence.accepted(0, anew(3))],
  ],
  earlyAfter: [
    ...[early.began(place(4)), early.joined(anew(0), 'lost'), early.got(anew(1), Q)],
    ...[early.got(anew(2), [4]), early.got(anew(3), FENCE), early.ended()],
  ],
  lateAfter: [
    ...[late.gap(anew(0)), late.got(anew(1), Q), late.got(anew(2), [4]), late.got(anew(3), FENCE)],
    late.ended(),
  ],
  all: [
    ...[all.began(place(0)), all.joined(anew(0), 'lost'), all.got(anew(1), Q), all.got(anew(2), [4])],
    ...[all.got(anew(3), FENCE), all.ended()],
  ],
};

function history(parts: Partial<Parts> = {}) {
  const told = { ...CLEAN, ...parts };
  const { start, before, earlyBefore, lateBefore, after, earlyAfter, lateAfter } = told;
  return historyOf([
    ...[...start, ...before, ...earlyBefore, ...lateBefore, ...told.loss],
    ...[...after, ...earlyAfter, ...lateAfter, ...told.all],
  ]);
}

const put = (steps: readonly Step[], at: number, ...instead: Step[]) => steps.toSpliced(at, 1, ...instead);

/** Exactly these, in a history that is whole. */
function breaks(t: Test, parts: Partial<Parts>, names: readonly PromiseName[], because?: string): void {
  const { faults, promises, violations } = judge(history(parts));
  t.strictSame(faults, []);
  const broken = PROMISE_NAMES.filter((name) => promises[name].status === 'broken');
  t.strictSame(broken, names, because ?? JSON.stringify(violations));
}

t.test('a loss / everybody is told, and what comes after it is kept → as promised', async (t) => {
  breaks(t, {}, []);
  const gone = [
    ...[late.ended(), lateByEvents.began(place(2)), lateByEvents.gap(null), lateByEvents.ended('over')],
    ...[lateByEvents.began('-1'), lateByEvents.got(anew(3), Q, [4], FENCE), lateByEvents.ended()],
  ];
  breaks(t, { lateAfter: gone }, [], 'told by 410');
  const again = [p.invoked(2, 2), p.accepted(2, anew(3)), fence.invoked(0, 0), fence.accepted(0, anew(4))];
  const got = (steps: readonly Step[], who: typeof early) =>
    put(steps, steps.length - 2, who.got(anew(3), [2]), who.got(anew(4), FENCE));
  const parts = {
    after: [...CLEAN.after.slice(0, -2), ...again],
    earlyAfter: got(CLEAN.earlyAfter, early),
    lateAfter: got(CLEAN.lateAfter, late),
    all: got(CLEAN.all, all),
  };
  breaks(t, parts, [], 'what was accepted before is taken as a new one when it is repeated');
  breaks(t, { ...parts, after: put(parts.after, 7, p.accepted(2, anew(3), true)) }, ['once']);
});

t.test('a loss / twice, and nobody published in between → as promised', async (t) => {
  const twice = [
    ...[loss, early.began(place(4)), early.joined(anew(0, 'ee'), 'lost'), late.gap(anew(0, 'ee')), loss],
    ...[early.gap(anew(0)), early.ended('cut')],
  ];
  const earlyAfter = [early.began(anew(0)), early.joined(anew(0), 'complete'), ...CLEAN.earlyAfter.slice(2)];
  breaks(t, { loss: twice, earlyAfter }, []);
  const behind = { loss: twice.with(3, late.gap(anew(1, 'ee'))), earlyAfter };
  breaks(t, behind, ['order'], 'nothing goes but by a loss: what follows a gap is from its beginning');
  breaks(
    t,
    { ...behind, start: put(CLEAN.start, 0, beginning) },
    [],
    'and where retention takes it, it may be',
  );
  breaks(t, { loss: twice.toSpliced(4, 1), earlyAfter }, [], 'it may not be known in which of them it is');
});

t.test(
  'a loss / twice, and a reader that was told goes on only after the second → as promised',
  async (t) => {
    const between = [
      ...[late.ended(), lateByEvents.began(place(2)), lateByEvents.gap(null), lateByEvents.ended('over')],
      ...[p.invoked(5, 0, 1), p.accepted(5, anew(1, 'ee'))],
      ...[early.began(place(4)), early.joined(anew(0, 'ee'), 'lost'), early.got(anew(1, 'ee'), [5])],
      loss,
    ];
    const after = CLEAN.after.with(2, p.invoked(3, 1, 1)).with(4, p.invoked(4, 0, 2));
    const earlyAfter = [early.gap(anew(0)), ...CLEAN.earlyAfter.slice(2)];
    const goesOn = [lateByEvents.began('-1'), lateByEvents.got(anew(3), Q, [4], FENCE), lateByEvents.ended()];
    breaks(t, { loss: [loss, ...between], after, earlyAfter, lateAfter: goesOn }, []);
    const passes = [lateByEvents.began('-1'), lateByEvents.got(anew(3), [4], FENCE), lateByEvents.ended()];
    breaks(t, { loss: [loss, ...between], after, earlyAfter, lateAfter: passes }, ['gap']);
  },
);

t.test('no loss / the same → found', async (t) => {
  const { clean, promises } = judge(history({ loss: [] }));
  t.equal(clean, false);
  for (const name of ['order', 'gap', 'kept', 'once'] as const)
    t.equal(promises[name].status, 'broken', name);
  const told = {
    ...CLEAN,
    loss: [],
    before: CLEAN.before.slice(0, 4),
    after: put(CLEAN.after, 1, q.accepted(0, anew(1))),
  };
  const only = {
    ...told,
    earlyBefore: CLEAN.earlyBefore.toSpliced(5, 1),
    earlyAfter: put(CLEAN.earlyAfter, 0, early.began(place(3))),
    lateBefore: [...CLEAN.lateBefore, late.got(place(3), [2])],
  };
  breaks(t, { ...only, loss: [loss] }, [], 'who had all of it is told as well');
  breaks(t, only, ['gap', 'kept']);
  const start = put(CLEAN.start, 0, beginning);
  breaks(t, { ...only, start }, ['gap'], 'and where retention may take it, it is not said to be lost');
});

t.test('a loss / a reader that is not told, whether it had all or not → found', async (t) => {
  const complete = put(CLEAN.earlyAfter, 1, early.joined(place(4), 'complete'));
  breaks(t, { earlyAfter: complete }, ['gap']);
  breaks(t, { lateAfter: CLEAN.lateAfter.slice(1) }, ['gap']);
  breaks(t, { lateAfter: put(CLEAN.lateAfter, 0, late.stands(anew(0))) }, ['gap']);
  breaks(t, { all: put(CLEAN.all, 1, all.joined(place(0), 'complete')) }, ['gap', 'kept']);
});

t.test('a loss / a message that was accepted after it is gone → found', async (t) => {
  const without = (steps: readonly Step[], at: number) => steps.toSpliced(at, 1);
  breaks(t, { lateAfter: without(CLEAN.lateAfter, 2) }, ['gap'], 'for one reader');
  const parts = {
    earlyAfter: without(CLEAN.earlyAfter, 3),
    lateAfter: without(CLEAN.lateAfter, 2),
    all: without(CLEAN.all, 3),
  };
  breaks(t, parts, ['kept'], 'for all of them');
  const told = {
    earlyAfter: put(CLEAN.earlyAfter, 3, early.gap(anew(2))),
    lateAfter: put(CLEAN.lateAfter, 2, late.gap(anew(2))),
    all: put(CLEAN.all, 3, all.gap(anew(2))),
  };
  breaks(t, told, ['kept'], 'and all of them are told');
});

t.test('a loss / a repeat, another order, another place after it → found', async (t) => {
  const [first, second] = [early.got(anew(1), Q), early.got(anew(2), [4])];
  breaks(t, { earlyAfter: put(CLEAN.earlyAfter, 2, first, first) }, ['duplicate']);
  breaks(t, { earlyAfter: CLEAN.earlyAfter.with(2, second).with(3, first) }, ['order']);
  breaks(t, { earlyAfter: put(CLEAN.earlyAfter, 3, early.got(anew(2), Q), second) }, ['order', 'duplicate']);
  breaks(t, { after: put(CLEAN.after, 1, q.accepted(0, 'f_0001x', null)) }, ['order']);
  const old = put(CLEAN.earlyAfter, 2, early.got(anew(1), [1]), first);
  breaks(t, { earlyAfter: old }, ['order', 'kept', 'once'], 'it was sent once, and is there twice');
  const nowhere = put(CLEAN.earlyAfter, 1, early.joined('e_0009', 'lost'));
  breaks(t, { earlyAfter: nowhere }, ['gap'], 'in the log that is lost');
});

t.test('a loss / told of a log that is not the one that it goes on in → found', async (t) => {
  const inAnother = put(CLEAN.earlyAfter, 1, early.joined(anew(0, 'ee'), 'lost'));
  breaks(t, { earlyAfter: inAnother }, ['gap'], 'others were told that this one began after it');
});

t.test('a loss / told of before it, or again after it, where nothing is missing → found', async (t) => {
  breaks(t, { lateBefore: [...CLEAN.lateBefore, late.gap(place(2))] }, ['gap']);
  breaks(t, { lateAfter: put(CLEAN.lateAfter, 2, late.gap(anew(1)), late.got(anew(2), [4])) }, ['gap']);
});
