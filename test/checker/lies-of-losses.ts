import type { Lie } from './lies.js';
import type { Found, Scene } from './scene.js';
import { but, isOf, lifeOf } from './scene.js';
import type { Step } from './story.js';

/** Where the reader asked that is told, at a place of the history, how it resumes. */
function asked(scene: Scene, { at, step }: Found<Step<'read.joined'>>): string {
  const began = scene
    .all('read.began')
    .findLast(
      (each) => each.at < at && each.step.by === step.by && each.step.event.channel === step.event.channel,
    );
  return began?.step.event.from ?? '';
}

export const LOSS_LIES: Readonly<Record<string, Lie>> = {
  'a loss that is not one': {
    promise: 'kept',
    tell: (scene) => {
      const rest = scene.steps.filter((step) => !(isOf(step, 'fault') && step.event.what === 'loss'));
      return rest.length === scene.steps.length ? undefined : rest;
    },
  },
  'a resume after a loss is called complete': {
    promise: 'gap',
    tell: (scene) => {
      const joined = scene.pick(
        scene.all('read.joined'),
        (found) =>
          found.step.event.resume === 'lost' &&
          lifeOf(asked(scene, found)) !== lifeOf(found.step.event.offset) &&
          scene.isSurelyAnew(found, found.step.event.offset),
      );
      if (joined === undefined) return undefined;
      return scene.put(joined.at, but(joined.step, { resume: 'complete', offset: asked(scene, joined) }));
    },
  },
  'a message from before a loss comes again after it': {
    promise: 'once',
    tell: (scene) => {
      const sent = new Set(scene.sentOnce.map(({ step }) => step.event.uid));
      const late = scene.pick(scene.deliveries, ({ next }) => isOf(next, 'read.received'));
      const early = scene.pick(
        scene.deliveries,
        ({ at, step: { by, event } }) =>
          late !== undefined &&
          at < late.at &&
          by === late.step.by &&
          event.channel === late.step.event.channel &&
          lifeOf(event.offset) !== lifeOf(late.step.event.offset) &&
          event.items.every(([uid]) => sent.has(uid) && !scene.log.has(uid)),
      );
      if (late === undefined || early === undefined) return undefined;
      const again = but(late.step, {
        items: early.step.event.items.slice(-1),
        offset: `${late.step.event.offset}a`,
      });
      return scene.put(late.at, late.step, again);
    },
  },
};
