import { BEARER_PREFIX } from '../../protocol/version.js';
import type { TokenSource } from '../options.js';

/** Knows the token, and whether it is known to be good: an attempt that used it reached the welcome. */
export class Credentials {
  readonly #source: TokenSource | undefined;
  #token: string | undefined;
  #good = false;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** Whether a fresh token can be had. */
  get renewable(): boolean {
    return typeof this.#source === 'function';
  }

  /** Has a token ready for an attempt, if that still is the one. Rejects with whatever the token function throws. */
  async prepare(fresh: boolean, attempt: AbortSignal): Promise<void> {
    if (!fresh && this.#good) return;
    const token = await this.fresh();
    if (!attempt.aborted) this.#token = token;
  }

  /** A token from its source. */
  async fresh(): Promise<string | undefined> {
    return typeof this.#source === 'function' ? await this.#source() : this.#source;
  }

  /** From here on an attempt is under way that shows whether the token is good. */
  tried(): void {
    this.#good = false;
  }

  proven(): void {
    this.#good = true;
  }

  /** Takes a token that the application brought, in place of the one at hand. */
  adopt(token: string): void {
    this.#token = token;
    this.#good = true;
  }
}

/** How a token travels where no header can: as an offered subprotocol, base64url without padding. */
export function bearerProtocol(token: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  return BEARER_PREFIX + btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
