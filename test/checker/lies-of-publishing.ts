import type { Lie } from './lies.js';
import type { Found, Scene } from './scene.js';
import { but, isOf, withItems } from './scene.js';
import type { Step } from './story.js';

type Received = Step<'read.received'>;

/** Every delivery as `told` tells it. */
function everywhere(steps: readonly Step[], told: (step: Received) => Step): Step[] {
  return steps.map((step) => (isOf(step, 'read.received') ? told(step) : step));
}

const accepted = (scene: Scene, uid: string) =>
  scene.all('publish.accepted').filter(({ step }) => step.event.uid === uid);

/** Of messages that are in the log, sent and answered once. */
const logged = (scene: Scene) =>
  scene.sentOnce.filter(({ step: { event } }) => scene.log.has(event.uid) && !scene.isFence(event.uid));

export const PUBLISHING_LIES: Readonly<Record<string, Lie>> = {
  'an accepted message is in nobody’s log': {
    promise: 'kept',
    tell: (scene) => {
      const lost = scene.pick(logged(scene))?.step.event.uid;
      if (lost === undefined) return undefined;
      return everywhere(scene.steps, (step) => {
        const left = step.event.items.filter(([uid]) => uid !== lost);
        const isUnchanged = !scene.closing.has(step.by) || left.length === step.event.items.length;
        return isUnchanged ? step : withItems(step, left);
      });
    },
  },
  'a message is accepted, and nobody gets it': {
    promise: 'kept',
    tell: (scene) => {
      const beside = scene.pick(logged(scene));
      const answer = beside && accepted(scene, beside.step.event.uid)[0];
      if (beside === undefined || answer === undefined) return undefined;
      const uid = `${scene.run}.another.0`;
      const { producer: _, ...event } = beside.step.event;
      return scene.put(answer.at, { by: 'another', event: { ...event, uid } }, answer.step, {
        by: 'another',
        event: {
          ...answer.step.event,
          how: event.how,
          uid,
          offset: `${answer.step.event.offset}a`,
          duplicate: false,
        },
      });
    },
  },
  'a message is refused, and delivered': {
    promise: 'phantom',
    tell: (scene) => {
      const sent = scene.pick(logged(scene))?.step.event.uid ?? '';
      const [answer] = accepted(scene, sent);
      if (answer === undefined) return undefined;
      const { how, channel, uid, hash } = answer.step.event;
      const refused = { kind: 'publish.refused', how, channel, uid, hash, code: 'rate_limited' } as const;
      return scene.put(answer.at, { by: answer.step.by, event: refused });
    },
  },
  'a message is delivered before it is sent': {
    promise: 'phantom',
    tell: (scene) => {
      const sent = scene.pick(logged(scene), ({ step, at }) => isLastOf(scene, step, at));
      const [answer] = accepted(scene, sent?.step.event.uid ?? '');
      if (sent === undefined || answer === undefined) return undefined;
      const rest = scene.steps.filter((_, at) => at !== sent.at && at !== answer.at);
      return [...rest, sent.step, answer.step];
    },
  },
  'two messages stand against the time that they were sent': {
    promise: 'order',
    tell: (scene) => {
      const sent = logged(scene);
      const early = scene.pick(sent);
      const uid = early?.step.event.uid ?? '';
      const [answer] = accepted(scene, uid);
      const late = scene.pick(
        sent,
        ({ step, at }) => step.event.channel === early?.step.event.channel && at > (answer?.at ?? at),
      );
      return early && late && exchanged(scene, early.step, late.step);
    },
  },
  'two messages are accepted at one place': {
    promise: 'order',
    tell: (scene) => {
      const one = scene.pick(logged(scene));
      const channel = one?.step.event.channel;
      const other = scene.pick(
        logged(scene),
        ({ at, step }) => at !== one?.at && step.event.channel === channel,
      );
      const [answer] = accepted(scene, one?.step.event.uid ?? '');
      const offset = scene.places.get(other?.step.event.uid ?? '');
      return answer && scene.put(answer.at, but(answer.step, { offset: offset ?? '' }));
    },
  },
  'a repeat is answered as a new one, or a new one as a repeat': {
    promise: 'once',
    tell: (scene) => {
      const answer = scene.pick(scene.all('publish.accepted'), ({ step }) => step.event.duplicate !== null);
      return (
        answer && scene.put(answer.at, but(answer.step, { duplicate: answer.step.event.duplicate !== true }))
      );
    },
  },
  'a repeat is answered with another place': {
    promise: 'once',
    tell: (scene) => {
      const answer = scene.pick(scene.all('publish.accepted'), ({ step }) => step.event.duplicate === true);
      return answer && scene.put(answer.at, but(answer.step, { offset: `${answer.step.event.offset}a` }));
    },
  },
  'who may not is let in': {
    promise: 'permission',
    tell: (scene) => {
      const denied = scene.pick(scene.all('deny.refused'));
      if (denied === undefined) return undefined;
      const { technique, channel } = denied.step.event;
      return scene.put(denied.at, { by: denied.step.by, event: { kind: 'deny.served', technique, channel } });
    },
  },
  'who may not gets a message': {
    promise: 'permission',
    tell: (scene) => {
      const denied = scene.pick(scene.all('deny.refused'));
      const got = scene.pick(
        scene.deliveries,
        ({ step }) => step.event.channel === denied?.step.event.channel,
      );
      return (
        denied && got && scene.put(denied.at, denied.step, { by: denied.step.by, event: got.step.event })
      );
    },
  },
  'a resume is called complete, and begins elsewhere': {
    promise: 'order',
    tell: (scene) => {
      const joined = scene.pick(scene.all('read.joined'), ({ step }) => step.event.resume === 'complete');
      const next =
        joined && scene.deliveries.find(({ at, step }) => at > joined.at && isBeside(step, joined.step));
      return joined && next && scene.put(joined.at, but(joined.step, { offset: next.step.event.offset }));
    },
  },
  'a resume is called lost where nothing is missing': {
    promise: 'gap',
    tell: (scene) => {
      const joined = scene.pick(
        scene.all('read.joined'),
        (found) => found.step.event.resume === 'complete' && !isInDoubt(scene, found),
      );
      return joined && scene.put(joined.at, but(joined.step, { resume: 'lost' }));
    },
  },
  'a gap is not told': {
    promise: 'gap',
    tell: (scene) => {
      const gap = scene.pick(
        scene.all('read.gap'),
        (found) => found.step.event.offset !== null && scene.isSurelyAnew(found, found.step.event.offset),
      );
      const { technique, channel, offset } = gap?.step.event ?? {};
      if (gap === undefined || technique === undefined || channel === undefined || typeof offset !== 'string')
        return undefined;
      return scene.put(gap.at, {
        by: gap.step.by,
        event: { kind: 'read.stands', technique, channel, offset },
      });
    },
  },
};

/** Something may have been stored there, and be gone, that nobody was told of, and nobody asks after it. */
function isInDoubt(scene: Scene, { at, step: { event } }: Found<Step<'read.joined'>>): boolean {
  const { channel } = event;
  const isUnanswered = scene
    .all('publish.unknown')
    .some(({ step }) => step.event.channel === channel && !scene.places.has(step.event.uid));
  const isGone = [...scene.places.keys()].some(
    (uid) => scene.channelOf.get(uid) === channel && !scene.log.has(uid),
  );
  const last = [...scene.closing].at(-1);
  const isAskedLater = scene
    .all('read.began')
    .some((began) => began.at > at && began.step.by === last && began.step.event.channel === channel);
  return isUnanswered && (isGone || !isAskedLater);
}

function isBeside(step: Received, { by, event }: Step<'read.joined'>): boolean {
  return step.by === by && step.event.channel === event.channel;
}

/** Nothing else is sent or answered by the publisher after it, and somebody has got it. */
function isLastOf(scene: Scene, { by, event }: Step<'publish.invoked'>, at: number): boolean {
  return (
    !scene.steps.slice(at + 1).some((step) => step.by === by && isOf(step, 'publish.invoked')) &&
    scene.deliveries.some(({ step }) => step.event.items.some(([uid]) => uid === event.uid))
  );
}

/** Each has the place of the other, for everybody. */
function exchanged(scene: Scene, one: Step<'publish.invoked'>, other: Step<'publish.invoked'>): Step[] {
  const [a, b] = [one.event, other.event];
  const uids = new Map([
    [a.uid, b],
    [b.uid, a],
  ]);
  const answered = scene.steps.map((step) => {
    if (!isOf(step, 'publish.accepted')) return step;
    const offset = scene.places.get(uids.get(step.event.uid)?.uid ?? '');
    return offset === undefined ? step : but(step, { offset });
  });
  return everywhere(answered, (step) =>
    withItems(
      step,
      step.event.items.map(([uid, hash]) => {
        const instead = uids.get(uid);
        return instead === undefined ? [uid, hash] : [instead.uid, instead.hash];
      }),
    ),
  );
}
