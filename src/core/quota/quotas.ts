import type { SharedLimits } from '../limits.js';
import type { Scope } from './quota.js';
import { isBounded, Quota } from './quota.js';

const MAX_IDLE = 10_000;

/**
 * The quotas of one scope, by user or by address. Those that have sessions are kept; the rates of the others are
 * remembered until there are too many, who has been silent longest goes first.
 */
export class Quotas {
  readonly #scope: Scope;
  readonly #limits: SharedLimits;
  readonly #isBounded: boolean;
  readonly #busy = new Map<string, Quota>();
  readonly #idle = new Map<string, Quota>();

  constructor(scope: Scope, limits: SharedLimits) {
    this.#scope = scope;
    this.#limits = limits;
    this.#isBounded = isBounded(limits);
  }

  /** undefined where nothing is bounded: then nothing is kept either. */
  of(key: string): Quota | undefined {
    if (!this.#isBounded) return undefined;
    const busy = this.#busy.get(key);
    if (busy !== undefined) return busy;
    const quota = this.#idle.get(key) ?? new Quota(this.#scope, this.#limits);
    this.#rest(key, quota);
    return quota;
  }

  sessionBegan(key: string): void {
    const quota = this.of(key);
    if (quota === undefined) return;
    quota.sessions++;
    this.#idle.delete(key);
    this.#busy.set(key, quota);
  }

  sessionEnded(key: string): void {
    const quota = this.#busy.get(key);
    if (quota === undefined) return;
    quota.sessions--;
    if (quota.sessions > 0) return;
    this.#busy.delete(key);
    this.#rest(key, quota);
  }

  #rest(key: string, quota: Quota): void {
    this.#idle.delete(key); // to stand last
    this.#idle.set(key, quota);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MAX_IDLE && oldest !== undefined) this.#idle.delete(oldest);
  }
}
