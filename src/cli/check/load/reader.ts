import { backoffMs } from '../../../client/backoff.js';
import { pause } from '../../client/pause.js';
import type { Target } from '../../doctor/target.js';
import { CommandError } from '../../failure.js';
import type { Technique } from '../history/events.js';
import { followReadEvents, followReadLongPoll, followReadPoll } from './follow/several.js';
import { followSocket } from './follow/socket.js';
import { followEvents, followLongPoll, followPoll } from './follow/stream.js';
import type { Trail } from './follow/trail.js';
import type { Cursor, Ended, Follow } from './follow/visit.js';
import type { Random } from './random.js';

const FOLLOW: Readonly<Record<Technique, Follow>> = {
  websocket: followSocket,
  sse: followEvents,
  'long-poll': followLongPoll,
  poll: followPoll,
  'read-sse': followReadEvents,
  'read-long-poll': followReadLongPoll,
  'read-poll': followReadPoll,
};
const BACKOFF = { minBackoffMs: 50, maxBackoffMs: 1500 };
const LONGEST_STAY_MS = 4000;
/** Where nothing comes, some techniques don't tell the place. */
const UNPLACED_STAY_MS = 200;
const NEVER = new Set([
  'forbidden',
  'unauthenticated',
  'bad_channel',
  'bad_request',
  'bad_offset',
  'bad_envelope',
]);

/** How a reader goes about it. */
export interface ReaderOptions {
  readonly target: Target;
  readonly trail: Trail;
  readonly random: Random;
  readonly techniques: readonly Technique[];
  /** Until then it is cut, slow, and changes its technique at random; after that it reads what is left. */
  readonly busy: AbortSignal;
  /** Then it gives up. */
  readonly deadline: AbortSignal;
}

/** Reads channels to their last message, with one technique after the other. Rejects where it may not. */
export class CheckReader {
  readonly #options: ReaderOptions;
  readonly #cursor: Cursor = { text: undefined };
  #failures = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async read(): Promise<void> {
    const { trail, deadline } = this.#options;
    while (trail.left.length > 0 && !deadline.aborted) {
      const ended = await this.#visit();
      if (typeof ended === 'object') refuse(ended);
      const isWell = ended === 'left' || ended === 'cut' || ended === 'over';
      this.#failures = isWell ? 0 : this.#failures + 1;
      const asked = typeof ended === 'object' ? ended.afterMs : 0;
      if (!isWell) await pause(Math.max(asked, backoffMs(this.#failures, BACKOFF, Math.random())), deadline);
    }
  }

  async #visit(): Promise<Ended | 'left' | 'cut'> {
    const { target, trail, random, techniques, busy, deadline } = this.#options;
    const technique = random.pick(techniques);
    const channels = this.#channelsFor(technique);
    if (!technique.startsWith('read-') || trail.unplaced.length > 0) this.#cursor.text = undefined; // it is behind, or ahead of what the history knows
    const stay = this.#stay(channels);
    trail.began(technique, channels);
    const slowMs = !busy.aborted && random.chance(0.2) ? random.between(20, 400) : 0;
    if (slowMs > 0) trail.slows();
    const leave = AbortSignal.any([stay.signal, deadline]);
    const ended = await FOLLOW[technique]({ target, trail, channels, leave, slowMs, cursor: this.#cursor });
    stay.end();
    const how = leave.aborted ? stay.why : ended;
    trail.ended(channels, typeof how === 'object' ? 'lost' : how);
    return how;
  }

  /** What a stream has one of, the others all. */
  #channelsFor(technique: Technique): readonly string[] {
    const { trail, random, busy } = this.#options;
    if (technique === 'websocket' || technique.startsWith('read-')) return trail.channels;
    if (!busy.aborted) return [random.pick(trail.channels)];
    return [random.pick(trail.unplaced.length > 0 ? trail.unplaced : trail.left)];
  }

  /** How long it stays: until it is cut, or the end of the busy time, or until it has all it came for. */
  #stay(channels: readonly string[]) {
    const { trail, random, busy } = this.#options;
    const controller = new AbortController();
    const stay = { signal: controller.signal, why: 'left' as 'left' | 'cut', end: () => {} };
    const isCut = !busy.aborted;
    const timer = setTimeout(
      () => {
        stay.why = isCut ? 'cut' : 'left';
        controller.abort();
      },
      isCut ? random.between(5, 1500) : trail.unplaced.length > 0 ? UNPLACED_STAY_MS : LONGEST_STAY_MS,
    );
    trail.onHeard = () => {
      if (!channels.some((channel) => trail.left.includes(channel))) controller.abort();
    };
    stay.end = () => {
      clearTimeout(timer);
      trail.onHeard = () => {};
    };
    return stay;
  }
}

function refuse(ended: Ended): void {
  if (typeof ended === 'object' && NEVER.has(ended.code))
    throw CommandError.notHad(`${ended.code}: the channels of the check can't be read`);
}
