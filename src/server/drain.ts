import { setTimeout as wait } from 'node:timers/promises';
import type { EarshotNode } from '../core/node.js';

/** The open connections, of whatever kind. */
export interface Connections {
  /** Resolves when those that are open now are closed. */
  allClosed(): Promise<void>;
  terminateAll(): void;
}

export interface DrainPlan {
  /** For all of it, in ms. */
  readonly timeoutMs: number;
  /** Reconnects that the successor is asked to bear, per second. */
  readonly reconnectsPerSecond: number;
}

const BATCH = 200;
const BETWEEN_BATCHES_MS = 20;
const SHORTEST_WINDOW_MS = 1000;

/** Within which time clients are told to come back: long enough that they don't all come at once. */
export function reconnectWindowMs(sessions: number, { timeoutMs, reconnectsPerSecond }: DrainPlan): number {
  return Math.min(
    timeoutMs,
    Math.max(SHORTEST_WINDOW_MS, Math.ceil((sessions / reconnectsPerSecond) * 1000)),
  );
}

/**
 * Tells every session that this server ends, and closes it; what is still open when the time is up is cut.
 * Resolves when no WebSocket is open.
 */
export async function drainSessions(
  node: EarshotNode,
  connections: Connections,
  plan: DrainPlan,
): Promise<void> {
  const sessions = node.sessions.all();
  const afterMs = [0, reconnectWindowMs(sessions.length, plan)] as const;
  const deadline = AbortSignal.timeout(plan.timeoutMs);
  for (let at = 0; at < sessions.length && !deadline.aborted; at += BATCH) {
    if (at > 0) await wait(BETWEEN_BATCHES_MS);
    for (const session of sessions.slice(at, at + BATCH)) {
      session.end({ close: 'drain', code: 'draining', cause: 'drain', afterMs });
    }
  }
  await Promise.race([connections.allClosed(), aborted(deadline)]);
  connections.terminateAll();
  await connections.allClosed();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
