import type { PromiseName } from '../../src/cli/check/judge/findings.js';
import type { Delivery, Scene } from './scene.js';
import { but, isOf, withItems } from './scene.js';
import type { Step } from './story.js';

/** A history that is whole and in which one promise is broken; undefined where it has no place for that. */
export interface Lie {
  readonly promise: PromiseName;
  tell(scene: Scene): Step[] | undefined;
}

/** What goes on being delivered: a change of its position is heard of at once. */
const goesOn = ({ next }: Delivery) => isOf(next, 'read.received');
const last = <T>(items: readonly T[]): T => items[items.length - 1] as T; // of what has at least one

function ofDelivery(
  fits: (delivery: Delivery, scene: Scene) => boolean,
  tell: (delivery: Delivery, scene: Scene) => Step[] | undefined,
): Lie['tell'] {
  return (scene) => {
    const delivery = scene.pick(scene.deliveries, (each) => fits(each, scene));
    return delivery && tell(delivery, scene);
  };
}

const noFence = ({ step }: Delivery, scene: Scene) => step.event.items.every(([uid]) => !scene.isFence(uid));

/** Of a message that nobody had an answer for, and that is gone, only who got it knows. */
const isKnown = ({ step }: Delivery, scene: Scene) =>
  step.event.items.every(([uid]) => scene.places.has(uid));

export const DELIVERY_LIES: Readonly<Record<string, Lie>> = {
  'a message is passed over, and its place is told': {
    promise: 'gap',
    tell: ofDelivery(
      (each, scene) => each.hasBefore && noFence(each, scene) && isKnown(each, scene),
      ({ at, step }, scene) => {
        const { items } = step.event;
        return scene.put(at, withItems(step, items.toSpliced(scene.random.between(0, items.length - 1), 1)));
      },
    ),
  },
  'a delivery is passed over': {
    promise: 'gap',
    tell: ofDelivery(
      (each, scene) => each.hasBefore && goesOn(each) && noFence(each, scene) && isKnown(each, scene),
      ({ at }, scene) => scene.put(at),
    ),
  },
  'a reader is told that what is kept is gone': {
    promise: 'gap',
    tell: ofDelivery(
      ({ step, hasBefore }, scene) =>
        hasBefore &&
        step.by !== [...scene.closing].at(-1) && // then nobody can say that it was there
        /^(?:websocket|read-)/.test(step.event.technique) &&
        step.event.items.every(([uid]) => scene.log.has(uid)),
      ({ at, step }, scene) => {
        const { technique, channel, offset } = step.event;
        return scene.put(at, { by: step.by, event: { kind: 'read.gap', technique, channel, offset } });
      },
    ),
  },
  'two deliveries change places': {
    promise: 'order',
    tell: ofDelivery(
      (each, scene) => each.hasBefore && goesOn(each) && goesOn(nextOf(each, scene)),
      (first, scene) => {
        const second = nextOf(first, scene);
        return scene.put(first.at, second.step).with(second.at, first.step);
      },
    ),
  },
  'two messages of a delivery change places': {
    promise: 'order',
    tell: ofDelivery(
      ({ step }) => step.event.items.length > 1,
      ({ at, step }, scene) => {
        const { items } = step.event;
        const first = scene.random.between(0, items.length - 2);
        return scene.put(
          at,
          withItems(step, items.toSpliced(first, 2, ...items.slice(first, first + 2).reverse())),
        );
      },
    ),
  },
  'a reader sees a message at another place': {
    promise: 'order',
    tell: ofDelivery(
      (each, scene) => goesOn(each) && isKnown(each, scene),
      ({ at, step }, scene) => scene.put(at, but(step, { offset: `${step.event.offset}a` })),
    ),
  },
  'a delivery comes again': {
    promise: 'duplicate',
    tell: ofDelivery(
      () => true,
      ({ at, step }, scene) => scene.put(at, step, step),
    ),
  },
  'a delivery comes again after a cut, by whatever technique': {
    promise: 'duplicate',
    tell: (scene) => {
      const began = scene.pick(
        scene.all('read.began'),
        ({ step, at }) => before(scene, step, at) !== undefined,
      );
      const again = began && before(scene, began.step, began.at);
      if (began === undefined || again === undefined) return undefined;
      const { technique } = began.step.event;
      return scene.put(began.at, began.step, but(again, { technique }));
    },
  },
  'a message comes twice in one delivery': {
    promise: 'duplicate',
    tell: ofDelivery(
      () => true,
      ({ at, step }, scene) => {
        const { items } = step.event;
        const twice = scene.random.between(0, items.length - 1);
        return scene.put(at, withItems(step, items.toSpliced(twice, 0, ...items.slice(twice, twice + 1))));
      },
    ),
  },
  'a message arrives altered': {
    promise: 'phantom',
    tell: ofDelivery(
      () => true,
      ({ at, step }, scene) => {
        const [[uid, hash], ...rest] = [last(step.event.items), ...step.event.items.slice(0, -1)];
        const other = `${hash.startsWith('0') ? 1 : 0}${hash.slice(1)}`;
        return scene.put(at, withItems(step, [...rest, [uid, other]]));
      },
    ),
  },
  'a message that nobody sent': {
    promise: 'phantom',
    tell: ofDelivery(
      () => true,
      ({ at, step }, scene) => scene.put(at, withItems(step, [['', '0'.repeat(16)], ...step.event.items])),
    ),
  },
  'a message of another channel': {
    promise: 'phantom',
    tell: ofDelivery(
      () => true,
      ({ at, step }, scene) => {
        const foreign = scene.pick(
          scene.deliveries,
          (each) => each.step.event.channel !== step.event.channel,
        );
        return (
          foreign && scene.put(at, withItems(step, [last(foreign.step.event.items), ...step.event.items]))
        );
      },
    ),
  },
  'a reader ends before the last message': {
    promise: 'convergence',
    tell: ofDelivery(
      (each, scene) =>
        each.step.event.items.length === 1 &&
        scene.isFence(last(each.step.event.items)[0]) &&
        !comesBack(each, scene),
      ({ at }, scene) => scene.put(at),
    ),
  },
  'it is stored a second time': {
    promise: 'once',
    tell: ofDelivery(goesOn, ({ at, step }, scene) =>
      scene.put(at, step, but(step, { items: [last(step.event.items)], offset: `${step.event.offset}a` })),
    ),
  },
};

function nextOf({ next }: Delivery, scene: Scene): Delivery {
  return scene.deliveries.find(({ step }) => step === next) as Delivery; // what `goesOn` has looked at
}

/** What the reader got last on the channel, where it goes on at just that place. */
function before(
  scene: Scene,
  { by, event }: Step<'read.began'>,
  at: number,
): Step<'read.received'> | undefined {
  const got = scene.deliveries.findLast(
    ({ step, at: there }) => there < at && step.by === by && step.event.channel === event.channel,
  );
  return got?.step.event.offset === event.from ? got.step : undefined;
}

/** Whether the reader visits the channel again. */
function comesBack({ at, step }: Delivery, scene: Scene): boolean {
  return scene
    .all('read.began')
    .some(
      (began) =>
        began.at > at && began.step.by === step.by && began.step.event.channel === step.event.channel,
    );
}
