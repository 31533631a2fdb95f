import type { SharedLimits } from '../limits.js';
import { burstOf, RateLimit } from './rate.js';

/** What may come so fast and no faster. */
export type RateName = 'commands' | 'publishes' | 'bytes' | 'connects';

/** Whose limit it is. */
export type Scope = 'session' | 'user' | 'address' | 'channel' | 'node';

/** A limit that stands in the way. */
export interface Exceeded {
  readonly limit: RateName | 'sessions' | 'subscriptions' | 'size';
  readonly scope: Scope;
}

const OPTIONS = {
  commands: 'commandsPerSecond',
  publishes: 'publishesPerSecond',
  bytes: 'bytesPerSecond',
  connects: 'connectsPerSecond',
} as const satisfies Record<RateName, keyof SharedLimits>;

/** What one user, one address or one session has used of its limits. */
export class Quota {
  readonly scope: Scope;
  sessions = 0;
  subscriptions = 0;
  readonly #limits: SharedLimits;
  readonly #rates: Partial<Record<RateName, RateLimit>> = {};

  constructor(scope: Scope, limits: SharedLimits) {
    this.scope = scope;
    this.#limits = limits;
  }

  /** True where so much more is within the rate, and then it is taken. `now` is in ms that only ever grow. */
  take(name: RateName, now: number, amount = 1): boolean {
    const perSecond = this.#limits[OPTIONS[name]];
    if (perSecond === undefined) return true;
    const burst = burstOf(perSecond);
    this.#rates[name] ??= new RateLimit(burst, now);
    return this.#rates[name].take(now, perSecond, burst, amount);
  }

  get hasRoomForSession(): boolean {
    return this.sessions < (this.#limits.maxSessions ?? Number.POSITIVE_INFINITY);
  }

  get hasRoomForSubscription(): boolean {
    return this.subscriptions < (this.#limits.maxSubscriptions ?? Number.POSITIVE_INFINITY);
  }
}

/** True where something of it is set. */
export function isBounded(limits: SharedLimits): boolean {
  return Object.values(limits).some((limit) => limit !== undefined);
}
