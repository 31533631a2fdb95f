/** How a session's life is judged. All in ms. */
export interface LivenessTimes {
  /** Between two pings. */
  readonly pingIntervalMs: number;
  /** After a ping, until some byte has come in; as long again for every `SOON_READ_BYTES` that the ping stands behind. */
  readonly pongTimeoutMs: number;
  /** For a peer that reads nothing: until something queued has left. No pong is waited for longer either. */
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

/** What the slowest reader is expected to read in one `pongTimeoutMs`. */
export const SOON_READ_BYTES = 64 * 1024;

/**
 * Whether one connection is alive. Any byte that comes in is life. While bytes are queued that the peer doesn't
 * take, a ping would only stand behind them: a slow reader is given `stallTimeoutMs` to take some. What has left the
 * process may lie unread as well, megabytes of it, in the buffers of two kernels: a pong has the time to come after that.
 * Holds numbers only; one sweep over all sessions asks it.
 */
export class Liveness {
  #receivedBytes = 0;
  #sentBytes = 0;
  #progressAt: number;
  #pingDueAt: number;
  #pingedAt: number | undefined;
  #sentWhenPinged = 0;
  /** Of what was sent, so much had been read when a ping was answered. */
  #readBytes = 0;

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
    const hears = vitals.receivedBytes !== this.#receivedBytes;
    if (hears && this.#pingedAt !== undefined) this.#readBytes = this.#sentWhenPinged;
    if (stalls || hears) this.#pingedAt = undefined;
    if (vitals.sentBytes !== this.#sentBytes || !stalls) this.#progressAt = now;
    this.#receivedBytes = vitals.receivedBytes;
    this.#sentBytes = vitals.sentBytes;
    if (stalls) return now - this.#progressAt >= times.stallTimeoutMs ? 'dead' : 'alive';
    if (this.#pingedAt !== undefined && now - this.#pingedAt >= this.#patienceMs(times)) return 'dead';
    if (this.#pingedAt !== undefined || now < this.#pingDueAt) return 'alive';
    if (vitals.answersPings) this.#pingedAt = now;
    this.#sentWhenPinged = vitals.sentBytes;
    this.#pingDueAt = now + times.pingIntervalMs;
    return 'ping';
  }

  #patienceMs({ pongTimeoutMs, stallTimeoutMs }: LivenessTimes): number {
    const unreadBytes = this.#sentWhenPinged - this.#readBytes;
    const neededMs = pongTimeoutMs * (1 + Math.floor(unreadBytes / SOON_READ_BYTES));
    return Math.max(pongTimeoutMs, Math.min(stallTimeoutMs, neededMs));
  }
}
