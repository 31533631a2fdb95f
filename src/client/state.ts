import type { Advice } from '../protocol/codes.js';
import { adviceOfClose, CLOSES } from '../protocol/codes.js';
import type { BackoffBounds } from './backoff.js';
import { backoffMs, within } from './backoff.js';

/** What an application sees of the connection. `waiting`: for the next attempt, or for `reconnect()`. */
export type ConnectionState = 'connecting' | 'connected' | 'waiting' | 'closed';

/**
 * The states of the machine. `authorizing`: the token is fetched · `opening`: until the welcome ·
 * `probing`: an upgrade was refused without a word, the server is asked why · `parked`: until `reconnect()`.
 */
export type Phase = 'authorizing' | 'opening' | 'probing' | 'connected' | 'waiting' | 'parked' | 'closed';

/** Why a connection failed or ended, and what to do about it. */
export interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly advice: Advice;
  /** Of the WebSocket, where one was given. */
  readonly closeCode?: number;
  /** Don't come back sooner. */
  readonly minDelayMs?: number;
  /** Come back at a time picked within. */
  readonly windowMs?: readonly [number, number] | undefined;
}

/** Everything that the machine remembers. */
export interface Link {
  readonly phase: Phase;
  /** In a row: a connection that stays good for a while sets it back. */
  readonly failures: number;
  /** Whether a fresh token was asked for since a connection last stayed good. */
  readonly refreshed: boolean;
  readonly connectedAtMs: number;
  /** What the server said just before it closes, and when. */
  readonly bye: Failure | undefined;
  readonly byeAtMs: number;
}

export type LinkEvent =
  | { readonly type: 'token' | 'welcome' | 'timer' | 'wake' | 'disconnect' | 'reconnect' | 'close' }
  | { readonly type: 'bye' | 'failed'; readonly failure: Failure }
  | { readonly type: 'cut'; readonly code: number; readonly reason: string };

/**
 * What is to be done. `cut` gives up the socket, the timer and whatever the attempt had under way;
 * `wait` sets the one timer; `settle` clears it, for the connection is good.
 */
export type Effect =
  | { readonly type: 'cut' | 'open' | 'probe' | 'settle' }
  | { readonly type: 'authorize'; readonly fresh: boolean }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'end'; readonly failure: Failure | undefined };

export interface Step {
  readonly link: Link;
  readonly effects: readonly Effect[];
  readonly failure?: Failure;
  /** Until the next attempt. */
  readonly retryInMs?: number;
}

/** What a step may look at: the time and chance of this moment, and the rules. */
export interface Circumstances extends BackoffBounds {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
  readonly connectTimeoutMs: number;
  /** Whether there's a function to get a fresh token from. */
  readonly renewable: boolean;
}

/** A connection that lives this long was good: a socket that opens and then dies, again and again, was not. */
export const STEADY_MS = 5000;

/** What a browser reports of a refused upgrade, and of any cut. */
const ABNORMAL = 1006;

const CONNECTING: readonly Phase[] = ['authorizing', 'opening', 'probing'];

/** Before the first attempt: `reconnect` begins it. */
export const START: Link = {
  phase: 'parked',
  failures: 0,
  refreshed: false,
  connectedAtMs: 0,
  bye: undefined,
  byeAtMs: 0,
};

export function stateOf(phase: Phase): ConnectionState {
  if (CONNECTING.includes(phase)) return 'connecting';
  return phase === 'connected' || phase === 'closed' ? phase : 'waiting';
}

/** The next state and what is to be done. Pure; every event in every state has its answer, mostly "nothing". */
export function step(link: Link, event: LinkEvent, now: Circumstances): Step {
  const { phase } = link;
  const busy = phase === 'connected' || CONNECTING.includes(phase);
  if (phase === 'closed') return { link, effects: [] };
  switch (event.type) {
    case 'reconnect':
      return attempt({ ...link, refreshed: false }, now);
    case 'disconnect':
      return { link: { ...link, phase: 'parked' }, effects: [{ type: 'cut' }] };
    case 'close':
      return end(link);
    case 'token':
      if (phase === 'authorizing')
        return { link: { ...link, phase: 'opening' }, effects: [{ type: 'open' }] };
      break;
    case 'welcome':
      if (phase === 'opening') return welcome(link, now);
      break;
    case 'bye':
      if (phase === 'connected')
        return { link: { ...link, bye: event.failure, byeAtMs: now.nowMs }, effects: [] };
      break;
    case 'cut':
      if (phase === 'opening' && event.code === ABNORMAL) return probe(link, now);
      if (phase === 'opening' || phase === 'connected') return fail(link, link.bye ?? closeOf(event), now);
      break;
    case 'failed':
      if (busy) return fail(link, event.failure, now);
      break;
    case 'timer':
      if (phase === 'waiting') return attempt(link, now);
      if (busy && phase !== 'connected') return fail(link, TIMED_OUT, now);
      break;
    case 'wake':
      if (phase === 'waiting') return attempt(link, now);
      break;
  }
  return { link, effects: [] };
}

const TIMED_OUT: Failure = { code: 'timeout', reason: 'no welcome came in time', advice: 'retry' };

function attempt(link: Link, now: Circumstances, fresh = false): Step {
  return {
    link: { ...link, phase: 'authorizing', bye: undefined },
    effects: [{ type: 'cut' }, { type: 'authorize', fresh }, { type: 'wait', ms: now.connectTimeoutMs }],
  };
}

function welcome(link: Link, now: Circumstances): Step {
  return {
    link: { ...link, phase: 'connected', connectedAtMs: now.nowMs },
    effects: [{ type: 'settle' }],
  };
}

function probe(link: Link, now: Circumstances): Step {
  return {
    link: { ...link, phase: 'probing' },
    effects: [{ type: 'cut' }, { type: 'probe' }, { type: 'wait', ms: now.connectTimeoutMs }],
  };
}

function fail(link: Link, failure: Failure, now: Circumstances): Step {
  const steady = link.phase === 'connected' && now.nowMs - link.connectedAtMs >= STEADY_MS;
  const failures = steady ? 1 : link.failures + 1;
  const refreshed = !steady && link.refreshed;
  if (failure.advice === 'refresh' && now.renewable && !refreshed) {
    return { ...attempt({ ...link, failures, refreshed: true }, now, true), failure };
  }
  if (failure.advice !== 'retry') return end(link, failure);
  const retryInMs = failure.windowMs
    ? Math.max(0, within(failure.windowMs, now.random) - (now.nowMs - link.byeAtMs)) // it counts from the bye
    : Math.max(failure.minDelayMs ?? 0, backoffMs(failures, now, now.random));
  return {
    link: { ...link, phase: 'waiting', failures, refreshed },
    effects: [{ type: 'cut' }, { type: 'wait', ms: retryInMs }],
    failure,
    retryInMs,
  };
}

function end(link: Link, failure?: Failure): Step {
  return {
    link: { ...link, phase: 'closed' },
    effects: [{ type: 'end', failure }, { type: 'cut' }],
    ...(failure && { failure }),
  };
}

/** A close as a failure; its code is the name in the table of closes, in the style of the other codes. */
function closeOf({ code, reason }: { readonly code: number; readonly reason: string }): Failure {
  const [name] = Object.entries(CLOSES).find(([, entry]) => entry.code === code) ?? ['disconnected'];
  return {
    code: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    reason: reason || 'the connection was cut',
    advice: adviceOfClose(code),
    closeCode: code,
  };
}
