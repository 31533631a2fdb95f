import type { Clock } from '../options.js';

/** How long an answer to our ping may take. */
export const GRACE_MS = 10_000;

/** A timer that comes later than this was held up, and so were the messages that came meanwhile. */
const LATE_MS = 1000;

/**
 * Finds out that a connection is dead. Whatever comes in is life; after a silence the server is pinged,
 * and only silence after that is death.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #idleMs = 0;
  #heardAtMs = 0;
  #heardSinceAsked = false;
  #timer: unknown;

  constructor(clock: Clock, ping: () => void, dead: () => void) {
    this.#clock = clock;
    this.#ping = ping;
    this.#dead = dead;
  }

  start(idleMs: number): void {
    this.#idleMs = idleMs;
    this.heard();
    this.#watch();
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  heard(): void {
    this.#heardAtMs = this.#clock.now();
    this.#heardSinceAsked = true;
  }

  /** Asks for a sign of life now. */
  check(): void {
    const askedAtMs = this.#clock.now();
    const graceMs = Math.min(GRACE_MS, this.#idleMs / 2);
    this.#heardSinceAsked = false;
    this.#ping();
    this.#set(graceMs, () => {
      if (this.#heardSinceAsked) this.#watch();
      else if (this.#clock.now() > askedAtMs + graceMs + LATE_MS) this.check();
      else this.#dead();
    });
  }

  #watch(): void {
    const quietMs = Math.max(this.#idleMs / 2, this.#idleMs - GRACE_MS);
    const restMs = this.#heardAtMs + quietMs - this.#clock.now();
    if (restMs <= 0) this.check();
    else this.#set(restMs, () => this.#watch());
  }

  #set(ms: number, run: () => void): void {
    this.stop();
    this.#timer = this.#clock.setTimer(run, ms);
  }
}
