import type { HistoryEvent } from '../../src/cli/check/history/events.js';
import { parsed } from '../../src/cli/check/history/file.js';
import { lifeOf } from '../../src/cli/check/judge/messages.js';
import type { Random } from '../../src/cli/check/load/random.js';

/** A history that differs from another in one thing, as it would stand in a file: a line is an event, or none. */
export interface Mutant {
  readonly what: string;
  /** The kind of the event that it differs in. */
  readonly kind: string;
  /** Undefined where a line is no event any more. */
  readonly events: readonly HistoryEvent[] | undefined;
}

/**
 * Of a history with an altered event: whether it may have been so. Between two losses a log may begin, be told of to one
 * reader and be gone. Had it had another name, or had that reader stood elsewhere in it, nobody could tell.
 */
export function mayHaveBeen(events: readonly HistoryEvent[], at: number): boolean {
  const event = events[at];
  const isTold = event?.kind === 'read.gap' || event?.kind === 'read.joined';
  if (!isTold || event.offset === null || !events.some(isLoss)) return false;
  const life = lifeOf(event.offset);
  return !events.some(
    (other) => other !== event && placesIn(other, event.channel).some((place) => lifeOf(place) === life),
  );
}

const isLoss = (event: HistoryEvent) => event.kind === 'fault' && event.what === 'loss';

/** The positions of a channel that an event tells of. */
function placesIn(event: HistoryEvent, channel: string): string[] {
  if (!('channel' in event) || event.channel !== channel) return [];
  const [offset, from] = ['offset' in event ? event.offset : null, 'from' in event ? event.from : null];
  return [offset, from].filter((place) => place !== null);
}

export const OPERATIONS = ['drop', 'repeat', 'swap', 'alter'] as const;
export type Operation = (typeof OPERATIONS)[number];

type Path = readonly (string | number)[];

/** One event is dropped, repeated, swapped with another, or altered in one value. */
export function mutantOf(
  history: readonly HistoryEvent[],
  at: number,
  operation: Operation,
  random: Random,
): Mutant {
  const [event, other] = [history[at], random.between(0, history.length - 1)];
  const there = history[other];
  if (event === undefined || there === undefined) throw new Error('there is no such event');
  const of = (what: string, events: Mutant['events']) => ({
    what: `${operation} line ${at + 1}${what}`,
    kind: event.kind,
    events,
  });
  if (operation === 'drop') return of('', history.toSpliced(at, 1));
  if (operation === 'repeat') return of(` at ${other + 1}`, history.toSpliced(other, 0, event));
  if (operation === 'alter') return of(...altered(history, at, event, random));
  if (other === at) return mutantOf(history, at, operation, random);
  return of(` with ${other + 1}`, history.with(at, there).with(other, event));
}

function altered(
  history: readonly HistoryEvent[],
  at: number,
  event: HistoryEvent,
  random: Random,
): [string, Mutant['events']] {
  const path = random.pick(leaves(event));
  const plausible = valuesAt(history, path, event.kind);
  const [before, value] = [
    valueAt(event, path),
    path[0] === 'atUs' ? (history[at - 1]?.atUs ?? -1) : undefined,
  ];
  const after = value ?? other(before, plausible, random);
  const line = parsed(JSON.stringify(withValue(event, path, after)));
  const what = `, ${path.join('.')} from ${JSON.stringify(before)} to ${JSON.stringify(after)}`;
  return [what, 'fault' in line ? undefined : history.with(at, line.event)];
}

/** The ways to every value within. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, each]) =>
    leaves(each, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((within, key) => Object(within)[key], value);
}

function withValue(value: unknown, [key, ...rest]: Path, leaf: unknown): unknown {
  if (key === undefined) return leaf;
  if (Array.isArray(value)) return value.with(Number(key), withValue(value[Number(key)], rest, leaf));
  return { ...Object(value), [key]: withValue(Object(value)[key], rest, leaf) };
}

/** What other events of the kind have there. */
function valuesAt(history: readonly HistoryEvent[], path: Path, kind: string): unknown[] {
  return history.filter((event) => event.kind === kind).map((event) => valueAt(event, path));
}

/** Another value, one that looks right where there is such a one. */
function other(value: unknown, plausible: readonly unknown[], random: Random): unknown {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + (random.chance(0.5) ? 1 : 3);
  const others = plausible.filter((each) => each !== undefined && each !== value);
  if (others.length > 0 && random.chance(0.7)) return random.pick(others);
  return typeof value === 'string' && value !== ''
    ? `${value.slice(0, -1)}${value.endsWith('0') ? 1 : 0}`
    : 'x';
}
