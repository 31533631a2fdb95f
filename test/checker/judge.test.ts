import { writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import t from 'tap';
import type { HistoryEvent } from '../../src/cli/check/history/events.js';
import type { PromiseName } from '../../src/cli/check/judge/findings.js';
import { PROMISE_NAMES } from '../../src/cli/check/judge/findings.js';
import { judge, judgeFile } from '../../src/cli/check/judge/judge.js';
import { verdictText } from '../../src/cli/check/report.js';
import { but } from './scene.js';
import type { Step } from './story.js';
import { A, beginning, denied, hash, historyOf, made, place, publisher, reader, readers } from './story.js';

const p = publisher();
const q = publisher('q');
const fence = publisher('fence');
const [early, late, all] = [reader('early'), reader('late'), reader('all')];
const [earlyByEvents, lateByEvents, allByEvents] = [
  reader('early', 'sse'),
  reader('late', 'sse'),
  reader('all', 'sse'),
];

const FENCE = [0, 'fence'] as const;

/** Two publish, two read: one from the beginning with a cut, one from the tail with a change of technique. */
interface Parts {
  readonly start: readonly Step[];
  readonly publishing: readonly Step[];
  readonly early: readonly Step[];
  readonly late: readonly Step[];
  readonly all: readonly Step[];
  readonly denied: readonly Step[];
}

const CLEAN: Parts = {
  start: [
    beginning,
    made,
    p.invoked(0, 0),
    p.accepted(0, place(1)),
    late.began('now'),
    late.joined(place(1), 'none'),
  ],
  publishing: [
    ...[p.invoked(1, 1), p.unknown(1), p.invoked(1, 1), p.accepted(1, place(2), null)],
    ...[p.invoked(2, 2), p.accepted(2, place(3)), p.invoked(2, 2), p.accepted(2, place(3), true)],
    ...[p.invoked(3, 3), p.refused(3), p.invoked(3, 3), p.accepted(3, place(4))],
    ...[fence.invoked(0, 0), fence.accepted(0, place(5))],
  ],
  early: [
    ...[
      early.began('-1'),
      early.joined(place(0), 'none'),
      early.got(place(1), [0]),
      early.got(place(2), [1]),
      early.ended('cut'),
    ],
    ...[early.began(place(2)), early.joined(place(2), 'complete'), early.got(place(3), [2])],
    ...[early.got(place(4), [3]), early.got(place(5), FENCE), early.ended()],
  ],
  late: [
    ...[late.got(place(2), [1]), late.ended('lost')],
    ...[lateByEvents.began(place(2)), lateByEvents.got(place(5), [2], [3], FENCE), lateByEvents.ended()],
  ],
  all: [
    all.began(place(0)),
    all.joined(place(0), 'complete'),
    ...[0, 1, 2, 3].map((at) => all.got(place(at + 1), [at])),
    all.got(place(5), FENCE),
    all.ended(),
  ],
  denied: [denied('deny.tried'), denied('deny.refused'), denied('deny.tried'), denied('deny.unknown')],
};

function history(parts: Partial<Parts> = {}): HistoryEvent[] {
  const { start, publishing, early, late, all, denied } = { ...CLEAN, ...parts };
  return historyOf([...start, ...publishing, ...late, ...early, ...denied, ...all]);
}

/** Of the steps, the `at`-th becomes these. */
const put = (steps: readonly Step[], at: number, ...instead: Step[]) => steps.toSpliced(at, 1, ...instead);

function broken(events: readonly HistoryEvent[]): readonly PromiseName[] {
  const { promises } = judge(events);
  return PROMISE_NAMES.filter((name) => promises[name].status === 'broken');
}

/** Exactly these, told with the lines that show it, in a history that is whole. */
function breaks(t: Test, events: readonly HistoryEvent[], ...names: readonly PromiseName[]): void {
  const { faults, violations, clean } = judge(events);
  t.strictSame(faults, []);
  t.strictSame(broken(events), names);
  t.equal(clean, false);
  t.ok(violations.every(({ lines }) => lines.length > 0 && lines.every((line) => line <= events.length)));
}

t.test('judge / everything as promised → clean, and how often each promise was looked at', async (t) => {
  const { clean, faults, violations, promises } = judge(history());
  t.strictSame({ clean, faults, violations }, { clean: true, faults: [], violations: [] });
  t.strictSame(
    Object.values(promises).map(({ status }) => status),
    PROMISE_NAMES.map(() => 'kept'),
  );
  t.match(promises, { kept: { checked: 5 }, once: { checked: 2 }, permission: { checked: 1 } });
});

t.test('judge / nobody who may not → permission is not checked, and the rest is', async (t) => {
  const open = [but(beginning, { readers: readers.slice(0, 3) }), ...CLEAN.start.slice(1)];
  const { clean, promises } = judge(history({ start: open, denied: [] }));
  t.equal(clean, true);
  t.strictSame(promises.permission, { status: 'not checked', checked: 0, violations: 0 });
});

t.test('phantom / what nobody published, or not so, or not there → found', async (t) => {
  breaks(
    t,
    history({ early: put(CLEAN.early, 2, early.got(place(1), [0], [9]), early.stands(place(1))) }),
    'phantom',
  );
  const other = put(CLEAN.publishing, 0, p.invoked(1, 1)).with(2, p.invoked(1, 1));
  t.strictSame(broken(history({ publishing: other })), []);
  const altered = early.got(place(1), [0]);
  if (altered.event.kind === 'read.received') altered.event.items[0] = ['run.p.0', hash(7)];
  breaks(t, history({ early: put(CLEAN.early, 2, altered) }), 'phantom');
  const refused = [...CLEAN.publishing.slice(0, 9), p.refused(3), ...CLEAN.publishing.slice(12)];
  breaks(t, history({ publishing: refused }), 'phantom');
  const [invoked, accepted, ...rest] = CLEAN.start.slice(2);
  const start = [beginning, made, ...rest];
  const denied = [...CLEAN.denied];
  if (invoked !== undefined && accepted !== undefined) denied.push(invoked, accepted);
  t.match(broken(history({ start, denied })), ['phantom', 'order'], 'it came before it was sent');
});

t.test('order / another place, one place for two, a later one first, against time → found', async (t) => {
  breaks(t, history({ early: put(CLEAN.early, 8, early.got(place(5), [3])) }), 'order');
  breaks(t, history({ publishing: put(CLEAN.publishing, 11, p.accepted(3, 'e_0004x')) }), 'order');
  t.match(broken(history({ publishing: put(CLEAN.publishing, 11, p.accepted(3, place(1))) })), ['order']);
  const [third, fourth] = [early.got(place(3), [2]), early.got(place(4), [3])];
  const swapped = [...CLEAN.early.slice(0, 7), fourth, third, ...CLEAN.early.slice(9)];
  t.match(broken(history({ early: swapped })), ['order']);
  const late = put(CLEAN.late, 3, lateByEvents.got(place(5), [3], [2], FENCE));
  breaks(t, history({ late }), 'order');
  const stands = put(
    CLEAN.early,
    6,
    early.joined(place(2), 'complete'),
    early.stands(place(1)),
    early.stands(place(2)),
  );
  breaks(t, history({ early: stands }), 'order');
  breaks(
    t,
    history({ early: put(CLEAN.early, 6, early.joined(place(2), 'complete'), early.stands('e_0002x')) }),
    'order',
  );
});

t.test('order / sent after another was taken, and standing before it → found', async (t) => {
  const at = [2, 1, 3, 4, 5];
  const publishing = [p.invoked(1, 1), p.accepted(1, place(1)), ...CLEAN.publishing.slice(4)];
  const start = [
    beginning,
    made,
    p.invoked(0, 0),
    p.accepted(0, place(2)),
    ...CLEAN.start.slice(4, 5),
    late.joined(place(2), 'none'),
  ];
  const turn = [1, 0, 2, 3];
  const early_ = [
    early.began('-1'),
    early.joined(place(0), 'none'),
    ...turn.map((n, place_) => early.got(place(place_ + 1), [n])),
    early.got(place(5), FENCE),
    early.ended(),
  ];
  const all_ = [
    all.began(place(0)),
    all.joined(place(0), 'complete'),
    ...turn.map((n, place_) => all.got(place(place_ + 1), [n])),
    all.got(place(5), FENCE),
    all.ended(),
  ];
  const late_ = [late.got(place(3), [2]), late.got(place(4), [3]), late.got(place(5), FENCE), late.ended()];
  t.equal(at.length, 5);
  breaks(t, history({ start, publishing, early: early_, all: all_, late: late_ }), 'order');
});

t.test('gap / a message that never comes, a position beyond it, a resume that lies → found', async (t) => {
  breaks(t, history({ early: CLEAN.early.toSpliced(7, 1) }), 'gap');
  breaks(t, history({ late: put(CLEAN.late, 3, lateByEvents.got(place(5), [3], FENCE)) }), 'gap');
  const beyond = put(CLEAN.early, 7, early.stands(place(3)));
  breaks(t, history({ early: beyond }), 'gap');
  const first = put(CLEAN.early, 1, early.joined(place(1), 'none')).toSpliced(2, 1);
  breaks(t, history({ early: first }), 'gap');
  breaks(t, history({ early: put(CLEAN.early, 6, early.joined(place(2), 'none')) }), 'gap');
  breaks(t, history({ early: put(CLEAN.early, 1, early.joined(place(0), 'complete')) }), 'order', 'gap');
  const afterTail = put(CLEAN.start, 5, late.joined(place(0), 'none'));
  t.match(broken(history({ start: afterTail })), ['order'], 'it asked for the tail, and was put before it');
});

t.test('gap / told of what is there, or where nothing is missing → found', async (t) => {
  const lost = put(CLEAN.early, 6, early.joined(place(3), 'lost')).toSpliced(7, 1);
  breaks(t, history({ early: lost }), 'gap');
  const nothing = put(CLEAN.early, 6, early.joined(place(2), 'lost'));
  breaks(t, history({ early: nothing }), 'gap');
  const push = put(CLEAN.early, 7, early.gap(place(3)));
  breaks(t, history({ early: push }), 'gap');
  const gone = [
    ...CLEAN.early.slice(0, 5),
    ...[earlyByEvents.began(place(2)), earlyByEvents.gap(null), earlyByEvents.ended('over')],
    early.began('-1'),
    early.joined(place(3), 'none'),
    ...CLEAN.early.slice(8),
  ];
  breaks(t, history({ early: gone }), 'gap');
});

/** The first three messages are no longer kept. */
const trimmed = {
  all: [
    all.began(place(0)),
    all.joined(place(3), 'lost'),
    all.got(place(4), [3]),
    all.got(place(5), FENCE),
    all.ended(),
  ],
  early: [
    ...CLEAN.early.slice(0, 5),
    ...[
      early.began(place(2)),
      early.joined(place(3), 'lost'),
      early.got(place(4), [3]),
      early.got(place(5), FENCE),
      early.ended(),
    ],
  ],
};

t.test('gap / told of what is no longer kept → as promised; not told → found', async (t) => {
  t.strictSame(broken(history(trimmed)), []);
  const gone = [
    ...CLEAN.early.slice(0, 5),
    ...[earlyByEvents.began(place(2)), earlyByEvents.gap(null), earlyByEvents.ended('over')],
    early.began('-1'),
    early.got(place(4), [3]),
    early.got(place(5), FENCE),
    early.ended(),
  ];
  t.strictSame(broken(history({ ...trimmed, early: gone })), []);
  const silent = put(trimmed.early, 6, early.joined(place(2), 'complete'));
  breaks(t, history({ ...trimmed, early: silent }), 'gap');
  const elsewhere = put(trimmed.early, 1, early.joined('d_0000', 'none'));
  breaks(t, history({ ...trimmed, early: elsewhere }), 'order', 'gap');
  const allGone = [
    ...[allByEvents.began(place(0)), allByEvents.gap(null), allByEvents.ended('over')],
    all.began('-1'),
    all.got(place(4), [3]),
    all.got(place(5), FENCE),
    all.ended(),
  ];
  t.strictSame(broken(history({ ...trimmed, all: allGone })), []);
});

t.test('gap / a reader of all is not believed against one that reads later', async (t) => {
  const again = reader('again');
  const plan = [...readers, { by: 'again', start: 'made' as const, channels: [A] }];
  const start = [but(beginning, { readers: plan }), ...CLEAN.start.slice(1)];
  const all = [0, 1, 2, 3].map((at) => again.got(place(at + 1), [at]));
  const whole = [
    ...[again.began(place(0)), again.joined(place(0), 'complete'), ...all],
    ...[again.got(place(5), FENCE), again.ended()],
  ];
  t.strictSame(broken(history({ start, all: [...CLEAN.all, ...whole] })), []);
  breaks(t, history({ start, all: [...trimmed.all, ...whole] }), 'gap');
  t.strictSame(broken(history({ start, all: [...whole, ...trimmed.all] })), [], 'it may have gone meanwhile');
});

t.test('gap / told where only a message without an answer can be missing → as promised', async (t) => {
  const doubt = [p.invoked(4), p.unknown(4)];
  const publishing = CLEAN.publishing.toSpliced(4, 0, ...doubt);
  const lost = { ...trimmed, early: put(CLEAN.early, 6, early.joined(place(2), 'lost')) };
  t.strictSame(broken(history({ ...lost, publishing })), []);
  breaks(t, history(lost), 'gap');
  breaks(t, history({ ...lost, all: CLEAN.all, publishing }), 'gap'); // what stands before it is still there
  const late = [...CLEAN.publishing.slice(0, -2), ...doubt, ...CLEAN.publishing.slice(-2)];
  breaks(t, history({ ...lost, publishing: late }), 'gap'); // it was sent when that place was past
});

t.test('duplicate / a message that comes again, at once, after a cut or in one piece → found', async (t) => {
  breaks(
    t,
    history({ early: put(CLEAN.early, 2, early.got(place(1), [0]), early.got(place(1), [0])) }),
    'duplicate',
  );
  const again = put(CLEAN.early, 6, early.joined(place(2), 'complete'), early.got(place(2), [1]));
  breaks(t, history({ early: again }), 'duplicate');
  breaks(
    t,
    history({ late: put(CLEAN.late, 3, lateByEvents.got(place(5), [2], [2], [3], FENCE)) }),
    'duplicate',
  );
});

t.test(
  'kept / accepted or delivered, and in nobody’s log → found; no answer, and not stored → as promised',
  async (t) => {
    const without = CLEAN.all.toSpliced(4, 1);
    t.match(broken(history({ all: without })), ['kept']);
    const publishing = [p.invoked(4), p.unknown(4), ...CLEAN.publishing];
    t.match(broken(history({ publishing })), []);
    const accepted = [...CLEAN.publishing, p.invoked(4, 4), p.accepted(4, place(6))];
    breaks(t, history({ publishing: accepted }), 'kept');
  },
);

t.test('kept / no answer, no place told, and what stands beside it is gone → as promised', async (t) => {
  const publishing = CLEAN.publishing.toSpliced(4, 0, p.invoked(4), p.unknown(4));
  const late = put(CLEAN.late, 3, lateByEvents.got(place(5), [4], [2], [3], FENCE));
  const joined = early.joined(place(3), 'lost');
  t.strictSame(broken(history({ ...trimmed, publishing, late, early: put(trimmed.early, 6, joined) })), []);
  breaks(t, history({ publishing, late }), 'kept');
});

t.test('once / a repeat that is stored again, or answered as new, or called one → found', async (t) => {
  breaks(t, history({ publishing: put(CLEAN.publishing, 7, p.accepted(2, place(3), false)) }), 'once');
  breaks(t, history({ publishing: put(CLEAN.publishing, 5, p.accepted(2, place(3), true)) }), 'once');
  t.match(broken(history({ publishing: put(CLEAN.publishing, 7, p.accepted(2, 'e_0003x', true)) })), [
    'once',
  ]);
  const twice = put(CLEAN.all, 4, all.got(place(3), [2]), all.got('e_0003x', [2]));
  t.match(broken(history({ all: twice })), ['order', 'once']);
});

t.test('permission / let in, or given a message → found', async (t) => {
  breaks(t, history({ denied: [denied('deny.tried'), denied('deny.served')] }), 'permission');
  const reads = reader('denied', 'sse');
  t.strictSame(broken(history({ denied: [reads.began('-1'), reads.got(place(1), [0]), reads.ended()] })), [
    'permission',
  ]);
});

t.test('convergence / a reader that does not come to the end, a channel without one → found', async (t) => {
  const early_ = [...CLEAN.early.slice(0, 9), early.ended('lost')];
  breaks(t, history({ early: early_ }), 'convergence');
  const nobody = [...CLEAN.early.slice(0, 9), early.ended('lost')];
  t.strictSame(broken(history({ early: nobody })), ['convergence']);
  t.match(broken(history({ publishing: CLEAN.publishing.slice(0, 12) })), ['phantom', 'convergence']);
});

t.test('a producer / begins with another number than 0:0 → the history is not whole', async (t) => {
  const of = (seq: number, epoch: number) =>
    judge(history({ publishing: [q.invoked(0, seq, epoch), q.refused(0), ...CLEAN.publishing] }));
  t.equal(of(0, 0).clean, true);
  for (const { clean, faults } of [of(0, 1), of(1, 0), of(1, 1)]) {
    t.equal(clean, false);
    t.match(faults, [/ numbers \d:\d out of turn/]);
  }
});

t.test('a history that is not whole → nothing is called clean', async (t) => {
  const whole = history();
  const cases: Readonly<Record<string, readonly HistoryEvent[]>> = {
    'nothing at all': [],
    'no beginning': whole.slice(1),
    'no end': whole.slice(0, -1),
    'an event is missing': whole.toSpliced(12, 1),
    'time goes back': whole.toSpliced(12, 2, ...whole.slice(12, 14).reverse()),
    'nothing was done': historyOf([beginning]),
    'nobody reads it all': historyOf([
      { by: 'run', event: { kind: 'begin', format: 1, run: 'run', readers: [] } },
      made,
      ...[fence.invoked(0, 0), fence.accepted(0, place(1))],
    ]),
    'it begins twice': historyOf([beginning, beginning]),
    'it goes on': [...whole, ...whole.slice(-1)],
    'answered without being sent': history({ publishing: CLEAN.publishing.slice(1) }),
    'sent and never answered': history({ publishing: CLEAN.publishing.toSpliced(5, 1) }),
    'another producer’s numbers': history({ publishing: put(CLEAN.publishing, 0, p.invoked(1, 5)) }),
    'begins elsewhere': history({ early: put(CLEAN.early, 5, early.began(place(1))) }),
    'never asked': history({ early: CLEAN.early.toSpliced(5, 1) }),
    'never ended': history({ early: CLEAN.early.slice(0, -1) }),
    'a gap of another technique': history({
      early: put(CLEAN.early, 7, early.gap(null), early.stands(place(3))),
    }),
    'a reader twice in the plan': history({
      start: [but(beginning, { readers: [...readers, ...readers.slice(0, 1)] }), ...CLEAN.start.slice(1)],
    }),
    'a channel twice in a plan': history({
      start: [
        but(beginning, {
          readers: [...readers.slice(0, 3), { by: 'denied', start: 'nowhere', channels: [A, A] }],
        }),
        ...CLEAN.start.slice(1),
      ],
    }),
    'never tried': history({ denied: [] }),
    'tried elsewhere': history({
      start: [
        but(beginning, {
          readers: [...readers.slice(0, 3), { by: 'denied', start: 'nowhere', channels: ['b'] }],
        }),
        ...CLEAN.start.slice(1),
      ],
    }),
    'tried twice': history({ denied: [denied('deny.tried'), denied('deny.tried'), denied('deny.refused')] }),
  };
  for (const [name, events] of Object.entries(cases)) {
    const { clean, faults } = judge(events);
    t.equal(clean, false, name);
    t.ok(faults.length > 0, `${name}: says what is wrong`);
  }
});

t.test('a file / judged as its events are; a line that is none → a fault that names it', async (t) => {
  const events = history({ early: CLEAN.early.toSpliced(7, 1) });
  const lines = events.map((event) => JSON.stringify(event));
  const dir = t.testdir({ good: `${lines.join('\n')}\n`, bad: '' });
  t.strictSame(await judgeFile(`${dir}/good`), judge(events));
  writeFileSync(`${dir}/bad`, lines.with(3, '{"kind":"read.began"}').with(4, '{"ki').join('\n'));
  const { clean, faults } = await judgeFile(`${dir}/bad`);
  t.equal(clean, false);
  t.match(faults, [/^line 4: /, /^line 5: no line of JSON/]);
  await t.rejects(judgeFile(`${dir}/none`), { message: /can't be read \(ENOENT\)/ });
});

t.test('in words / a line a promise, then what shows it', async (t) => {
  const text = verdictText(judge(history({ early: CLEAN.early.toSpliced(7, 1), denied: [] })));
  t.match(text, /^kept +phantom +\d+ looked at +what is delivered was published, unaltered$/m);
  t.match(text, /^broken +gap +1 times, of \d+ looked at/m);
  t.match(text, /^not checked +permission +0 looked at/m);
  t.match(
    text,
    new RegExp(`^gap: early on ${A} never got run\\.p\\.2, and nobody said so \\(lines \\d+, \\d+\\)$`, 'm'),
  );
});
