import type { Lifetime } from '../creation.js';
import type { Stretch } from './epochs.js';
import { Epochs } from './epochs.js';

/** What a fork was asked to be: asked for again, it is the same fork. */
export interface Ancestry {
  readonly source: string;
  /** The lifetime of the source: what the fork has where no other was asked for. */
  readonly lifetime: Lifetime;
  /** Where it begins, by all the names of that place. */
  readonly places: readonly string[];
  readonly skip: number;
}

/** All that a log is besides its messages and its producers: plain data, which a store may write down as it is. */
export interface LogState {
  readonly epoch: string;
  /** The positions that it took over: as a fork, or from what it was before it was torn. */
  readonly stretches: readonly Stretch[];
  /** The tear of the store that it has lived through last. */
  readonly tear?: string | undefined;
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly ancestry?: Ancestry | undefined;
  /** True: it is never cut to make room for others. */
  readonly whole: boolean;
  /** It has an identity, and nobody has made it or written to it yet. */
  blank: boolean;
  /** Made by somebody's word: it stays until it is deleted. */
  stays: boolean;
  closed: boolean;
  /** Deleted, and only remembered because of its forks. */
  gone: boolean;
  /** How many channels began with what this one has. */
  forks: number;
  /** When it was last read or appended to. */
  usedAt: number;
  /** The writers' own sequence, of the last append that had one. */
  lastOrder?: string | undefined;
  /** The position before the oldest message that is kept, and how many bytes this log had been given up to there. */
  startSeq: number;
  startBytes: number;
  /** The position after the last message, likewise. */
  tailSeq: number;
  tailBytes: number;
  /** When the last message came. */
  lastAt: number;
  /** How many producers are remembered, and before when it is of no use to look for one to forget. */
  producers: number;
  producersFullUntil: number;
}

/** What is said of a log when it is made. */
export type LogConfig = Pick<LogState, 'epoch' | 'contentType' | 'lifetime' | 'whole'>;

/** A log of nothing. */
export function emptyState(config: LogConfig, now: number): LogState {
  return {
    ...config,
    stretches: [],
    blank: true,
    stays: false,
    closed: false,
    gone: false,
    forks: 0,
    usedAt: now,
    startSeq: 0,
    startBytes: 0,
    tailSeq: 0,
    tailBytes: 0,
    lastAt: 0,
    producers: 0,
    producersFullUntil: 0,
  };
}

/** A log whose end may have been lost: what follows has positions of an epoch of its own. */
export function tornState(state: LogState, tear: string): LogState {
  const { epoch, stretches, startSeq, tailSeq } = state;
  return { ...state, epoch: tear, stretches: new Epochs(epoch, stretches).torn(startSeq, tailSeq), tear };
}
