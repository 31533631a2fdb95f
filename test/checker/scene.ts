import type { HistoryEvent, Kind } from '../../src/cli/check/history/events.js';
import type { Random } from '../../src/cli/check/load/random.js';
import type { Step } from './story.js';
import { stepsOf } from './story.js';

type Received = Step<'read.received'>;
type Item = Received['event']['items'][number];

/** A place in a history, and the step that stands there. */
export interface Found<S extends Step = Step> {
  readonly at: number;
  readonly step: S;
}

/** One of the deliveries, with what the same reader sees next on the channel. */
export interface Delivery extends Found<Received> {
  readonly next: Step | undefined;
  /** False for the first after a reader took up where it didn't know the place: it may be any. */
  readonly hasBefore: boolean;
}

/** A clean history, to be told otherwise. */
export class Scene {
  readonly steps: readonly Step[];
  readonly run: string;
  readonly deliveries: readonly Delivery[];
  /** Of accepted messages. */
  readonly places = new Map<string, string>();
  readonly channelOf = new Map<string, string>();
  /** What the last one reads who reads all there is. */
  readonly log = new Set<string>();
  readonly closing: ReadonlySet<string>;
  readonly random: Random;

  constructor(history: readonly HistoryEvent[], random: Random) {
    this.steps = stepsOf(history);
    this.random = random;
    const [begin] = this.all('begin');
    this.run = begin?.step.event.run ?? '';
    const plans = begin?.step.event.readers ?? [];
    const closing = plans.filter(({ start }) => start === 'made').map(({ by }) => by);
    this.closing = new Set(closing);
    for (const { step } of this.all('publish.accepted')) this.places.set(step.event.uid, step.event.offset);
    for (const { step } of this.all('publish.invoked'))
      this.channelOf.set(step.event.uid, step.event.channel);
    this.deliveries = this.all('read.received').map((found) => this.#delivery(found));
    for (const { step } of this.deliveries) {
      if (step.by === closing.at(-1)) for (const [uid] of step.event.items) this.log.add(uid);
    }
  }

  all<K extends Kind>(kind: K): Found<Step<K>>[] {
    return this.steps.flatMap((step, at) => (isOf(step, kind) ? [{ at, step }] : []));
  }

  /** One of those that fit; undefined where there is none. */
  pick<T>(items: readonly T[], fits: (item: T) => boolean = () => true): T | undefined {
    const fitting = items.filter(fits);
    return fitting.length === 0 ? undefined : this.random.pick(fitting);
  }

  /** Instead of the step at a place, these. */
  put(at: number, ...instead: readonly Step[]): Step[] {
    return this.steps.toSpliced(at, 1, ...instead);
  }

  /**
   * Whether nothing is in doubt of a reader that is told there of what was lost: something was sent after the last loss
   * before it, and stands where it goes on, and it is the next that it gets.
   */
  isSurelyAnew({ at, step }: Found, offset: string): boolean {
    const since = this.steps
      .slice(0, at)
      .findLastIndex((each) => isOf(each, 'fault') && each.event.what === 'loss');
    if (since === -1) return true;
    const next = this.steps
      .slice(at + 1)
      .find(
        ({ by, event }) =>
          by === step.by &&
          'channel' in event &&
          'channel' in step.event &&
          event.channel === step.event.channel,
      );
    if (!isOf(next, 'read.received')) return false;
    const life = lifeOf(offset);
    return this.all('publish.invoked').some(
      ({ at: sent, step: { event } }) =>
        sent > since &&
        lifeOf(this.places.get(event.uid) ?? '') === life &&
        event.channel === next.event.channel,
    );
  }

  isFence(uid: string): boolean {
    return uid.startsWith(`${this.run}.fence.`);
  }

  /** Of messages that were sent once, and answered once. */
  get sentOnce(): readonly Found<Step<'publish.invoked'>>[] {
    const sent = this.all('publish.invoked');
    return sent.filter(
      ({ step: { event } }) =>
        this.places.has(event.uid) && sent.filter(({ step }) => step.event.uid === event.uid).length === 1,
    );
  }

  #delivery({ at, step }: Found<Received>): Delivery {
    const { by } = step;
    const isBeside = (other: Step) =>
      other.by === by && 'channel' in other.event && other.event.channel === step.event.channel;
    const before = this.steps.slice(0, at).findLast(isBeside);
    const isLost = before?.event.kind === 'read.began' && /^(?:-1|now)$/.test(before.event.from);
    return { at, step, next: this.steps.slice(at + 1).find(isBeside), hasBefore: !isLost };
  }
}

/** What the positions of one log begin with. */
export function lifeOf(offset: string): string {
  return offset.slice(0, offset.lastIndexOf('_'));
}

export function isOf<K extends Kind>(step: Step | undefined, kind: K): step is Step<K> {
  return step?.event.kind === kind;
}

/** The same, but for some of what it says. */
export function but<K extends Kind>({ by, event }: Step<K>, change: Partial<Step<K>['event']>): Step {
  // an event of the kind with values of the kind: TypeScript doesn't see that of a union
  return { by, event: { ...event, ...change } } as Step;
}

/** A delivery of other items; where none is left, the position alone. */
export function withItems(step: Received, items: readonly Item[]): Step {
  if (items.length > 0) return but(step, { items: [...items] });
  const { technique, channel, offset } = step.event;
  return { by: step.by, event: { kind: 'read.stands', technique, channel, offset } };
}
