import type { HistoryEvent, Kind, ReaderPlan, Unstamped } from '../../src/cli/check/history/events.js';
import { History } from '../../src/cli/check/history/history.js';

/** What one process saw, without its place in a history. */
export type Step<K extends Kind = Kind> = K extends Kind
  ? { readonly by: string; readonly event: Extract<Unstamped, { readonly kind: K }> }
  : never;

/** Steps as the history that they would have been: numbered, counted and timed anew. */
export function historyOf(steps: readonly Step[]): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let nowMs = 0;
  const history = new History(
    (event) => events.push(event),
    () => nowMs++,
  );
  for (const { by, event } of steps) history.note(by, event);
  history.end('run');
  return events;
}

/** The other way round. */
export function stepsOf(events: readonly HistoryEvent[]): Step[] {
  return events.flatMap(
    ({ by, atUs, n, ...event }) => (event.kind === 'end' ? [] : [{ by, event } as Step]), // as it came: TypeScript doesn't see that of a union
  );
}

export const place = (at: number) => `e_${String(at).padStart(4, '0')}`;
export const uidOf = (at: number) => `run.p.${at}`;
export const hash = (at: number) => at.toString(16).padStart(16, '0');
export const A = 'check/a';

type Got = readonly [at: number, by?: string];

/** A message, as readers get it; of the publisher `p` unless it is said. */
const item = ([at, by = 'p']: Got): [string, string] => [`run.${by}.${at}`, hash(at)];

/** What a reader of channel A does. */
export function reader(by: string, technique: 'websocket' | 'sse' | 'poll' = 'websocket') {
  const base = { technique, channel: A } as const;
  return {
    began: (from: string): Step => ({ by, event: { kind: 'read.began', ...base, from } }),
    joined: (offset: string, resume: 'complete' | 'lost' | 'none'): Step => ({
      by,
      event: { kind: 'read.joined', ...base, offset, resume },
    }),
    got: (offset: string, ...messages: readonly Got[]): Step => ({
      by,
      event: { kind: 'read.received', ...base, items: messages.map(item), offset },
    }),
    stands: (offset: string): Step => ({ by, event: { kind: 'read.stands', ...base, offset } }),
    gap: (offset: string | null): Step => ({ by, event: { kind: 'read.gap', ...base, offset } }),
    ended: (why: 'left' | 'cut' | 'lost' | 'over' = 'left'): Step => ({
      by,
      event: { kind: 'read.ended', ...base, why },
    }),
  };
}

/** What a publisher does on channel A; `at` numbers its messages. */
export function publisher(by = 'p') {
  const how = 'publish-stream' as const;
  const about = (at: number) => ({ how, channel: A, uid: `run.${by}.${at}`, hash: hash(at) });
  return {
    invoked: (at: number, seq?: number, epoch = 0): Step => ({
      by,
      event: {
        kind: 'publish.invoked',
        ...about(at),
        ...(seq !== undefined && { producer: { epoch, seq } }),
      },
    }),
    accepted: (at: number, offset: string, duplicate: boolean | null = false): Step => ({
      by,
      event: { kind: 'publish.accepted', ...about(at), offset, duplicate },
    }),
    refused: (at: number): Step => ({
      by,
      event: { kind: 'publish.refused', ...about(at), code: 'rate_limited' },
    }),
    unknown: (at: number): Step => ({ by, event: { kind: 'publish.unknown', ...about(at) } }),
  };
}

export const denied = (kind: 'deny.tried' | 'deny.refused' | 'deny.served' | 'deny.unknown'): Step => {
  const base = { technique: 'sse', channel: A } as const;
  const event = kind === 'deny.refused' ? { kind, ...base, code: 'forbidden' as const } : { kind, ...base };
  return { by: 'denied', event } as Step; // one of both: TypeScript doesn't see that of a union
};

export const readers: readonly ReaderPlan[] = [
  { by: 'early', start: '-1', channels: [A] },
  { by: 'late', start: 'now', channels: [A] },
  { by: 'all', start: 'made', channels: [A] },
  { by: 'denied', start: 'nowhere', channels: [A] },
];
export const beginning: Step<'begin'> = {
  by: 'run',
  event: { kind: 'begin', format: 1, run: 'run', readers: [...readers] },
};
export const made: Step = { by: 'run', event: { kind: 'channel.made', channel: A, offset: place(0) } };
