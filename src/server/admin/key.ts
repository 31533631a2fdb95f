import { createHash, timingSafeEqual } from 'node:crypto';
import { networkOf } from '../../core/quota/network.js';
import { Rates } from '../../core/quota/rates.js';
import { Refused } from '../../protocol/refused.js';

const SCHEME = /^bearer +/i;
/** Wrong keys from one address: so many at once, and one more every six seconds. */
const WRONG_KEYS = 10;
const WRONG_KEYS_PER_SECOND = WRONG_KEYS / 60;

/** Who may use the operator's API: whoever has its key. */
export class KeyGuard {
  readonly #digest: Buffer;
  readonly #wrong = new Rates();
  readonly #uptimeMs: () => number;

  /** `uptimeMs` only ever grows. */
  constructor(key: string, uptimeMs: () => number) {
    this.#digest = digestOf(Buffer.from(key));
    this.#uptimeMs = uptimeMs;
  }

  /**
   * Throws `unauthenticated` without the key; `rate_limited` where too many wrong ones came from this address, for the
   * right one too: an answer to the next guess is what the limit keeps back.
   */
  check(authorization: string | undefined, address: string): void {
    if (authorization === undefined || !SCHEME.test(authorization)) {
      throw new Refused('unauthenticated', 'the key of the operator is needed, as `Authorization: Bearer`');
    }
    const now = this.#uptimeMs();
    const network = networkOf(address);
    if (!this.#wrong.allows(network, now, WRONG_KEYS_PER_SECOND, WRONG_KEYS)) {
      throw new Refused('rate_limited', 'too many wrong keys from this address: wait');
    }
    const given = Buffer.from(authorization.replace(SCHEME, ''), 'latin1'); // the bytes that came, as Node reads headers
    if (timingSafeEqual(digestOf(given), this.#digest)) return;
    this.#wrong.take(network, now, WRONG_KEYS_PER_SECOND, WRONG_KEYS);
    throw new Refused('unauthenticated', 'that is not the key of the operator');
  }
}

/** Of one length, whatever the length of what is compared. */
function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
