import t from 'tap';
import type { HistoryEvent } from '../../src/cli/check/history/events.js';
import { judge } from '../../src/cli/check/judge/judge.js';
import { Random } from '../../src/cli/check/load/random.js';
import { DELIVERY_LIES } from './lies.js';
import { LOSS_LIES } from './lies-of-losses.js';
import { PUBLISHING_LIES } from './lies-of-publishing.js';
import { clean, guarded, record, recordLosses } from './live.js';
import { mayHaveBeen, mutantOf, OPERATIONS } from './mutations.js';
import { Scene } from './scene.js';
import { historyOf } from './story.js';

const LIES = Object.entries({ ...DELIVERY_LIES, ...PUBLISHING_LIES, ...LOSS_LIES });
const MUTANTS = 600;
const TELLINGS = 24;

const GAPS = 3;
const RECORDINGS = 8;

/**
 * Of one server the channels are kept whole, of another only their last messages, and of one they are lost: the readers
 * of the last two are told of gaps.
 */
const [whole, short, lost] = await Promise.all([
  record(t, guarded(['subscribe', 'publish', 'history', 'manage']), { seed: 'whole', isWhole: true }),
  recordGaps(),
  recordLosses(t, guarded(['subscribe', 'publish', 'history', 'manage']), { seed: 'lost' }),
]);
const histories: Readonly<Record<string, readonly HistoryEvent[]>> = {
  whole: clean(whole),
  short: clean(short),
  lost: clean(lost),
};
const seed = `${process.pid}`;

/** Whether retention passes a reader by is a race of the two: it is run until it has, a few times. */
async function recordGaps(): Promise<readonly HistoryEvent[]> {
  for (let recording = 1; ; recording++) {
    const options = guarded(['subscribe', 'publish', 'history'], { retention: { messages: 20 } });
    const history = await record(t, options, { seed: `short${recording}` });
    const gaps = history.filter(({ kind }) => kind === 'read.gap').length;
    if (gaps >= GAPS || recording === RECORDINGS) return history;
  }
}

t.comment(`seed ${seed}`);

t.test('the histories that are altered / have what there is to see', async (t) => {
  const kinds = new Set([...whole, ...short, ...lost].map(({ kind }) => kind));
  for (const kind of ['publish.accepted', 'read.joined', 'read.gap', 'deny.refused', 'fault'] as const)
    t.ok(kinds.has(kind), kind);
  t.ok(lost.some((event) => event.kind === 'fault' && event.what === 'loss'));
});

for (const [name, history] of Object.entries(histories)) {
  t.test(`${name} / one event dropped, repeated, swapped or altered → never clean`, async (t) => {
    const random = new Random(`${seed} ${name}`);
    const kinds = [...new Set(history.map(({ kind }) => kind))];
    const places = new Map(
      kinds.map((kind) => [kind, [...history.keys()].filter((at) => history[at]?.kind === kind)]),
    );
    const tried = new Map(OPERATIONS.map((operation) => [operation, new Set<string>()]));
    const survivors: string[] = [];
    for (let count = 0; count < MUTANTS; count++) {
      const operation = OPERATIONS[count % OPERATIONS.length] ?? 'alter';
      const kind = kinds[Math.floor(count / OPERATIONS.length) % kinds.length] ?? 'end';
      const at = random.pick(places.get(kind) ?? []);
      const mutant = mutantOf(history, at, operation, random);
      tried.get(operation)?.add(kind);
      if (mutant.events === undefined || !judge(mutant.events).clean) continue;
      if (operation !== 'alter' || !mayHaveBeen(mutant.events, at)) survivors.push(mutant.what);
    }
    t.strictSame(survivors, []);
    for (const [operation, seen] of tried)
      t.equal(seen.size, kinds.length, `${operation}: events of every kind`);
  });

  t.test(`${name} / whole, and not as promised → the promise is named`, async (t) => {
    const scene = new Scene(history, new Random(`${seed} ${name} lies`));
    let told = 0;
    for (const [what, { promise, tell }] of LIES) {
      const missed: unknown[] = [];
      for (let count = 0; count < TELLINGS; count++) {
        const steps = tell(scene);
        if (steps === undefined) continue;
        told++;
        const { faults, promises, violations } = judge(historyOf(steps));
        if (faults.length > 0 || promises[promise].status !== 'broken') missed.push({ faults, violations });
      }
      t.strictSame(missed, [], what);
    }
    t.ok(told >= 500, `${told} of them`);
  });
}

t.test('every lie → is told in a history that has room for it', async (t) => {
  const scenes = Object.values(histories).map((history) => new Scene(history, new Random(seed)));
  for (const [what, { tell }] of LIES) {
    const hasRoom = scenes.some((scene) => Array.from({ length: TELLINGS }, () => tell(scene)).some(Boolean));
    t.ok(hasRoom, what);
  }
});
