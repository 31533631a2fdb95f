/** How a session's life is judged. All in ms. */
export interface LivenessTimes {
  /** Between two pings. */
  readonly pingIntervalMs: number;
  /** After a ping, until some byte has come in. */
  readonly pongTimeoutMs: number;
  /** For a peer that reads nothing: until something queued has left. */
  readonly stallTimeoutMs: number;
}

/** What a sweep sees of a connection. */
export interface Vitals {
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly queuedBytes: number;
  /** False where nothing can come back to a ping. */
  readonly answersPings: boolean;
}

/**
 * Whether one connection is alive. Any byte that comes in is life. While bytes are queued that the peer doesn't
 * take, a ping would only stand behind them: a slow reader is given `stallTimeoutMs` to take some.
 * Holds numbers only; one sweep over all sessions asks it.
 */
export class Liveness {
  #receivedBytes = 0;
  #sentBytes = 0;
  #progressAt: number;
  #pingDueAt: number;
  #pingedAt: number | undefined;

  /** `spread` is 0 to 1: where in the interval the first ping falls, so that those of many don't coincide. */
  constructor(now: number, times: LivenessTimes, spread: number) {
    this.#progressAt = now;
    this.#pingDueAt = now + times.pingIntervalMs * (0.5 + spread / 2);
  }

  /**
   * `paused`: its input is left unread, and a pong with it: that is a stall too, and not for ever. Of a peer that
   * stalls no pong is missed: once it has taken what is queued, it is asked anew.
   */
  judge(now: number, times: LivenessTimes, vitals: Vitals, paused: boolean): 'alive' | 'ping' | 'dead' {
    const stalls = paused || vitals.queuedBytes > 0;
    if (stalls || vitals.receivedBytes !== this.#receivedBytes) this.#pingedAt = undefined;
    if (vitals.sentBytes !== this.#sentBytes || !stalls) this.#progressAt = now;
    this.#receivedBytes = vitals.receivedBytes;
    this.#sentBytes = vitals.sentBytes;
    if (stalls) return now - this.#progressAt >= times.stallTimeoutMs ? 'dead' : 'alive';
    if (this.#pingedAt !== undefined && now - this.#pingedAt >= times.pongTimeoutMs) return 'dead';
    if (this.#pingedAt !== undefined || now < this.#pingDueAt) return 'alive';
    if (vitals.answersPings) this.#pingedAt = now;
    this.#pingDueAt = now + times.pingIntervalMs;
    return 'ping';
  }
}
