import { Refused } from '../../protocol/refused.js';
import type { Identity } from '../policy/policy.js';

/** Which tokens are no longer good: one by its id, or all of a user that were issued until now. */
export type Revocation = { readonly tokenId: string } | { readonly user: string };

const MAX_REVOCATIONS = 100_000;

interface Entry {
  /** Tokens issued until then are refused, in ms since 1970. */
  readonly at: number;
  /** Until when it is remembered. */
  readonly until: number;
}

export interface RevocationInForce extends Entry {
  readonly revocation: Revocation;
}

/** What was revoked, and this node has heard of. Remembered until it can't matter any more; nothing is forgotten before. */
export class Revocations {
  readonly #tokens = new Map<string, Entry>();
  readonly #users = new Map<string, Entry>();

  get size(): number {
    return this.#tokens.size + this.#users.size;
  }

  /**
   * Of what was said of the same before, the later times hold. False where that is nothing new. Throws `too_many` where no
   * more can be remembered. `now` makes room of what no longer matters.
   */
  add(revocation: Revocation, at: number, until: number, now: number = at): boolean {
    const [entries, key] =
      'tokenId' in revocation ? [this.#tokens, revocation.tokenId] : [this.#users, revocation.user];
    const known = entries.get(key);
    if (known !== undefined && known.at >= at && known.until >= until) return false;
    if (known === undefined && this.size >= MAX_REVOCATIONS && !this.#forget(now)) {
      throw new Refused('too_many', `there are ${MAX_REVOCATIONS} revocations already`);
    }
    entries.set(key, {
      at: Math.max(at, known?.at ?? at),
      until: Math.max(until, known?.until ?? until),
    });
    return true;
  }

  /** All that still matter. */
  *inForce(now: number): Generator<RevocationInForce> {
    for (const [tokenId, entry] of this.#tokens)
      if (isInForce(entry, now)) yield { ...entry, revocation: { tokenId } };
    for (const [user, entry] of this.#users)
      if (isInForce(entry, now)) yield { ...entry, revocation: { user } };
  }

  /** A token that doesn't say when it was issued counts as issued before. */
  has({ user, tokenId, issuedAt = 0 }: Identity, now: number): boolean {
    if (tokenId !== undefined && isInForce(this.#tokens.get(tokenId), now)) return true;
    const ofUser = user === null ? undefined : this.#users.get(user);
    return ofUser !== undefined && isInForce(ofUser, now) && issuedAt <= ofUser.at;
  }

  /** True where there is room now. */
  #forget(now: number): boolean {
    for (const entries of [this.#tokens, this.#users]) {
      for (const [key, entry] of entries) if (!isInForce(entry, now)) entries.delete(key);
    }
    return this.size < MAX_REVOCATIONS;
  }
}

function isInForce(entry: Entry | undefined, now: number): boolean {
  return entry !== undefined && now < entry.until;
}
