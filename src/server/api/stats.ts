import type { EarshotNode } from '../../core/node.js';

/** What a node holds at a moment. */
export interface Stats {
  readonly sessions: number;
  /** Users with a session. */
  readonly users: number;
  readonly subscriptions: number;
  /** Channels that somebody here is subscribed to. */
  readonly channels: number;
  /** Bytes that were written to connections and have not left the process. */
  readonly queuedBytes: number;
  /** Since the start, in ms. */
  readonly uptimeMs: number;
  /** True from the moment that the end was asked for. */
  readonly draining: boolean;
}

export function statsOf({ sessions, hub, uptimeMs }: EarshotNode, draining: boolean): Stats {
  let [subscriptions, queuedBytes] = [0, 0];
  for (const session of sessions) {
    subscriptions += session.subscriptions.size;
    queuedBytes += session.carrier.queuedBytes;
  }
  return {
    sessions: sessions.size,
    users: sessions.users,
    subscriptions,
    channels: hub.channels,
    queuedBytes,
    uptimeMs: Math.round(uptimeMs()),
    draining,
  };
}
