import fc from 'fast-check';
import t from 'tap';
import { backoffMs, within } from '../../src/client/backoff.js';
import type { Circumstances, Failure, Link, LinkEvent, Phase } from '../../src/client/state.js';
import { START, STEADY_MS, stateOf, step } from '../../src/client/state.js';
import { CLOSES } from '../../src/protocol/codes.js';

const NOW: Circumstances = {
  nowMs: 100_000,
  random: 0,
  connectTimeoutMs: 10_000,
  minBackoffMs: 500,
  maxBackoffMs: 20_000,
  renewable: true,
};

const failure = (advice: Failure['advice'], more: Partial<Failure> = {}): Failure => ({
  code: 'c',
  reason: 'r',
  advice,
  ...more,
});

const EVENTS = {
  token: { type: 'token' },
  welcome: { type: 'welcome' },
  timer: { type: 'timer' },
  wake: { type: 'wake' },
  disconnect: { type: 'disconnect' },
  reconnect: { type: 'reconnect' },
  close: { type: 'close' },
  bye: { type: 'bye', failure: failure('retry') },
  'failed retry': { type: 'failed', failure: failure('retry') },
  'failed refresh': { type: 'failed', failure: failure('refresh') },
  'failed never': { type: 'failed', failure: failure('never') },
  'cut 1006': { type: 'cut', code: 1006, reason: '' },
  'cut 1012': { type: 'cut', code: 1012, reason: '' },
  'cut 4401': { type: 'cut', code: 4401, reason: '' },
  'cut 4403': { type: 'cut', code: 4403, reason: '' },
} as const satisfies Record<string, LinkEvent>;

/** The next phase and the effects, in order. `-` is: nothing changes. */
type Expected = '-' | `${Phase}:${string}` | Phase;

const AGAIN = 'authorizing: cut authorize wait';
const FRESH = 'authorizing: cut fresh wait';
const LATER = 'waiting: cut wait';
const OVER = 'closed: end cut';
const PARKED = 'parked: cut';

const NOTHING = {
  token: '-',
  welcome: '-',
  timer: '-',
  wake: '-',
  disconnect: '-',
  reconnect: '-',
  close: '-',
  bye: '-',
  'failed retry': '-',
  'failed refresh': '-',
  'failed never': '-',
  'cut 1006': '-',
  'cut 1012': '-',
  'cut 4401': '-',
  'cut 4403': '-',
} as const satisfies Record<keyof typeof EVENTS, Expected>;

const BY_HAND = { ...NOTHING, disconnect: PARKED, reconnect: AGAIN, close: OVER } as const;
const FAILS = { 'failed retry': LATER, 'failed refresh': FRESH, 'failed never': OVER } as const;
const CUTS = { 'cut 1012': LATER, 'cut 4401': FRESH, 'cut 4403': OVER } as const;

const TABLE: Record<Phase, Record<keyof typeof EVENTS, Expected>> = {
  authorizing: { ...BY_HAND, ...FAILS, token: 'opening: open', timer: LATER },
  opening: {
    ...BY_HAND,
    ...FAILS,
    ...CUTS,
    welcome: 'connected: settle',
    timer: LATER,
    'cut 1006': 'probing: cut probe wait',
  },
  probing: { ...BY_HAND, ...FAILS, timer: LATER },
  connected: { ...BY_HAND, ...FAILS, ...CUTS, bye: 'connected', 'cut 1006': LATER },
  waiting: { ...BY_HAND, timer: AGAIN, wake: AGAIN },
  parked: BY_HAND,
  closed: NOTHING,
};

function outcome(link: Link, event: LinkEvent): string {
  const next = step(link, event, NOW);
  if (next.link === link && next.effects.length === 0) return '-';
  const effects = next.effects.map((effect) =>
    effect.type === 'authorize' && effect.fresh ? 'fresh' : effect.type,
  );
  return effects.length === 0 ? next.link.phase : `${next.link.phase}: ${effects.join(' ')}`;
}

t.test('state / every event in every phase → the row of the table', async (t) => {
  for (const [phase, row] of Object.entries(TABLE)) {
    for (const [name, expected] of Object.entries(row)) {
      const link: Link = { ...START, phase: phase as Phase };
      t.equal(outcome(link, EVENTS[name as keyof typeof EVENTS]), expected, `${phase} × ${name}`);
    }
  }
});

t.test('state / phases → what the application sees', async (t) => {
  const seen: Record<Phase, string> = {
    authorizing: 'connecting',
    opening: 'connecting',
    probing: 'connecting',
    connected: 'connected',
    waiting: 'waiting',
    parked: 'waiting',
    closed: 'closed',
  };
  for (const [phase, state] of Object.entries(seen)) t.equal(stateOf(phase as Phase), state, phase);
});

t.test('state / each close code of the table → its advice and its name', async (t) => {
  const phases = { retry: 'waiting', refresh: 'authorizing', never: 'closed' };
  for (const [name, { code, advice }] of Object.entries(CLOSES)) {
    const next = step({ ...START, phase: 'connected' }, { type: 'cut', code, reason: '' }, NOW);
    t.equal(next.link.phase, phases[advice], name);
    t.equal(next.failure?.code.replaceAll('_', ''), name.toLowerCase());
  }
});

t.test('state / a token is refused again after a fresh one → closed, never replayed', async (t) => {
  const refreshed: Link = { ...START, phase: 'opening', refreshed: true };
  t.equal(outcome(refreshed, EVENTS['cut 4401']), OVER);
  const brief: Link = { ...refreshed, phase: 'connected', connectedAtMs: NOW.nowMs - STEADY_MS + 1 };
  t.equal(outcome(brief, EVENTS['cut 4401']), OVER, 'a welcome alone proves nothing');
  const steady: Link = { ...brief, connectedAtMs: NOW.nowMs - STEADY_MS };
  t.equal(outcome(steady, EVENTS['cut 4401']), FRESH, 'a token that was good for a while may expire');
  t.equal(step(steady, EVENTS['cut 4401'], { ...NOW, renewable: false }).link.phase, 'closed');
});

t.test('state / a socket that opens and dies again and again → waits longer and longer', async (t) => {
  let link: Link = START;
  const waits: number[] = [];
  for (let round = 0; round < 8; round++) {
    for (const event of [EVENTS.reconnect, EVENTS.token, EVENTS.welcome, EVENTS['cut 1006']]) {
      const next = step(link, event, { ...NOW, random: 0.999_999 });
      link = next.link;
      if (next.retryInMs !== undefined) waits.push(next.retryInMs);
    }
  }
  t.same(waits, [1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000]);
  link = { ...link, phase: 'connected', connectedAtMs: NOW.nowMs - STEADY_MS };
  t.equal(step(link, EVENTS['cut 1006'], NOW).link.failures, 1, 'until one stays good');
});

t.test(
  'state / closed late after a bye → comes back inside the window all the same: it counts from the bye',
  async (t) => {
    const bye: LinkEvent = { type: 'bye', failure: failure('retry', { windowMs: [200, 1200] }) };
    const { link } = step({ ...START, phase: 'connected' }, bye, NOW);
    const closedAfter = (ms: number, random: number) =>
      step(link, { type: 'cut', code: 1012, reason: '' }, { ...NOW, nowMs: NOW.nowMs + ms, random })
        .retryInMs;
    t.equal(closedAfter(150, 0.5), 550);
    t.equal(closedAfter(900, 0.5), 0, 'its moment has passed');
    t.equal(closedAfter(900, 0.999), 299);
  },
);

t.test('state / bye with a window → comes back inside it, whatever the close says', async (t) => {
  const windowMs = [3000, 9000] as const;
  const bye: LinkEvent = { type: 'bye', failure: failure('retry', { windowMs }) };
  const { link } = step({ ...START, phase: 'connected' }, bye, NOW);
  for (const cut of [EVENTS['cut 1006'], EVENTS['cut 1012']]) {
    t.equal(step(link, cut, { ...NOW, random: 0 }).retryInMs, 3000);
    t.equal(step(link, cut, { ...NOW, random: 0.5 }).retryInMs, 6000);
  }
});

t.test('state / a refusal with Retry-After → at least that long', async (t) => {
  const event: LinkEvent = { type: 'failed', failure: failure('retry', { minDelayMs: 7000 }) };
  t.equal(step({ ...START, phase: 'probing' }, event, NOW).retryInMs, 7000);
});

t.test('backoff / any failure count → within the bounds, and all of them', async (t) => {
  const bounds = { minBackoffMs: 500, maxBackoffMs: 20_000 };
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), chance, (failures, random) => {
      const ms = backoffMs(failures, bounds, random);
      return ms >= 500 && ms <= Math.min(20_000, 500 * 2 ** failures);
    }),
  );
  t.equal(backoffMs(1, bounds, 0), 500);
  t.equal(backoffMs(20, bounds, 0.5), 10_250);
  t.equal(within([5, 5], 0.9), 5);
  t.equal(within([9, 5], 0.9), 9, 'a window the wrong way round is its beginning');
});

t.test('backoff / many clients at once → spread evenly', async (t) => {
  const bounds = { minBackoffMs: 500, maxBackoffMs: 20_000 };
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 1000; i++) {
    const bucket = Math.min(9, Math.floor((backoffMs(10, bounds, i / 1000) - 500) / 1950));
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  t.ok(
    buckets.every((count) => count >= 98 && count <= 102),
    buckets.join(' '),
  );
});
