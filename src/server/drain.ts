import { setTimeout as wait } from 'node:timers/promises';
import type { EarshotNode } from '../core/node.js';
import type { Session } from '../core/session/session.js';

/** The open connections, of whatever kind. */
export interface Connections {
  /** Resolves when those that are open now are closed. */
  allClosed(): Promise<void>;
  terminateAll(): void;
}

export interface DrainPlan {
  /** For all of it, in ms. */
  readonly timeoutMs: number;
  /** Until the last is back, in ms, at the most. */
  readonly backWithinMs: number;
  /** Reconnects that the successor is asked to bear, per second. */
  readonly reconnectsPerSecond: number;
}

/** When a session is told, and when it is to come back: `afterMs` counts from then. */
export interface Turn {
  readonly atMs: number;
  readonly afterMs: readonly [from: number, to: number];
}

const BETWEEN_BATCHES_MS = 100;
/** Within which a client picks its own moment. */
const WINDOW_MS = 1000;
/** Of the time for all, what may pass until the last is told; the rest is for what doesn't answer. */
const TELLING_SHARE = 0.6;

/**
 * The turn of each of so many sessions. They come back one after the other, at the rate that was asked for, or, where
 * there are too many for that, evenly over the time that there is. Where they can't all be kept until it is their time
 * to go, they are told earlier, to wait longer.
 */
export function planTurns(count: number, plan: DrainPlan): Turn[] {
  const { timeoutMs, reconnectsPerSecond } = plan;
  const backWithinMs = Math.min(plan.backWithinMs, (count / reconnectsPerSecond) * 1000);
  const toldWithinMs = Math.min(backWithinMs, timeoutMs * TELLING_SHARE);
  return Array.from({ length: count }, (_, at) => {
    const share = at / count;
    const atMs = Math.floor((share * toldWithinMs) / BETWEEN_BATCHES_MS) * BETWEEN_BATCHES_MS;
    const from = Math.max(0, Math.round(share * backWithinMs) - atMs);
    return { atMs, afterMs: [from, from + WINDOW_MS] };
  });
}

/**
 * Tells every session that this server ends, in batches over the window, and closes it; what is still open when the
 * time is up is cut. Resolves when no WebSocket is open.
 */
export async function drainSessions(
  node: EarshotNode,
  connections: Connections,
  plan: DrainPlan,
): Promise<void> {
  const deadline = AbortSignal.timeout(plan.timeoutMs);
  await tellAll(node.sessions.all(), plan, deadline);
  await Promise.race([connections.allClosed(), aborted(deadline)]);
  connections.terminateAll();
  await connections.allClosed();
}

async function tellAll(sessions: readonly Session[], plan: DrainPlan, deadline: AbortSignal): Promise<void> {
  const turns = planTurns(sessions.length, plan);
  const pace = new Pace(plan);
  for (const [at, session] of sessions.entries()) {
    const { atMs, afterMs } = turns[at] ?? { atMs: 0, afterMs: [0, WINDOW_MS] };
    await pace.reach(atMs, deadline);
    session.end({ close: 'drain', code: 'draining', cause: 'drain', afterMs });
  }
}

/** Walks through a plan. Where the process was held up, what is left moves on, as far as there is time: not all at once. */
class Pace {
  #beganAt = performance.now();
  #slackMs: number;

  constructor({ timeoutMs }: DrainPlan) {
    this.#slackMs = timeoutMs * (1 - TELLING_SHARE) * 0.5;
  }

  async reach(atMs: number, deadline: AbortSignal): Promise<void> {
    const early = atMs - (performance.now() - this.#beganAt);
    if (early > 0) await wait(early, undefined, { signal: deadline }).catch(() => {}); // late: the rest at once
    const late = performance.now() - this.#beganAt - atMs;
    if (late < BETWEEN_BATCHES_MS) return;
    const given = Math.min(late, this.#slackMs);
    this.#slackMs -= given;
    this.#beganAt += given;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
