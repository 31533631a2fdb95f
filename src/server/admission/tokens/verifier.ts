import type { JWTPayload } from 'jose';
import { errors, jwtVerify } from 'jose';
import type { Identity } from '../../../core/policy/policy.js';
import { Refused } from '../../../protocol/refused.js';
import type { Header } from './header.js';
import { headerOf, notAccepted } from './header.js';
import { identityOf } from './identity.js';
import type { Issuer } from './issuers.js';
import { keysAtHand } from './issuers.js';
import type { VerificationKey } from './keys.js';

/** Why a token is not of an issuer; of several reasons, the last in this list is told. */
const MISSES = ['key', 'signature', 'iss', 'unavailable'] as const;
type Miss = (typeof MISSES)[number];

/**
 * Finds the issuer that has signed a token, by the signature: no claim is looked at before it holds. Then the `iss`
 * must be that issuer's, and the other claims decide.
 */
export class Verifier {
  readonly #issuers: readonly Issuer[];
  readonly #named: ReadonlySet<unknown>;
  readonly #toleranceMs: number;
  readonly #now: () => number;

  constructor(issuers: readonly Issuer[], toleranceMs: number, now: () => number) {
    this.#issuers = issuers;
    this.#named = new Set(issuers.flatMap(({ name }) => name ?? []));
    this.#toleranceMs = toleranceMs;
    this.#now = now;
  }

  /** Throws `unauthenticated`, or `unavailable` where it could be of an issuer whose keys could never be had. */
  async verify(token: string): Promise<Identity> {
    const header = headerOf(token);
    let miss: Miss = 'key';
    for (const issuer of this.#issuers) {
      const outcome = await this.#verifyBy(issuer, keysAtHand(issuer, header), token);
      if (isIdentity(outcome)) return outcome;
      miss = further(miss, outcome);
    }
    const late = await this.#verifyLate(token, header);
    if (isIdentity(late)) return late;
    throw refusalOf(further(miss, late));
  }

  /** With keys that are to be fetched: an issuer that doesn't answer holds up no token of another. */
  async #verifyLate(token: string, header: Header): Promise<Identity | Miss> {
    const attempts = this.#issuers.map(async (issuer) => {
      const { remote } = issuer;
      if (remote?.takes(header) !== true || remote.atHand(header).length > 0) return 'key';
      const keys = await remote.fetched(header);
      return keys === undefined ? 'unavailable' : this.#verifyBy(issuer, keys, token);
    });
    return firstDecided(attempts);
  }

  async #verifyBy(issuer: Issuer, keys: readonly VerificationKey[], token: string): Promise<Identity | Miss> {
    let miss: Miss = 'key';
    for (const key of keys) {
      const outcome = await this.#claimsBy(issuer, key, token);
      if (typeof outcome !== 'string') return identityOf(outcome, this.#toleranceMs);
      miss = further(miss, outcome);
    }
    return miss;
  }

  /** Throws where the token is this issuer's and is not good. */
  async #claimsBy(
    issuer: Issuer,
    { key, algorithms }: VerificationKey,
    token: string,
  ): Promise<JWTPayload | Miss> {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...algorithms],
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#now()),
        clockTolerance: this.#toleranceMs / 1000,
        ...(issuer.audience !== undefined && { audience: [...issuer.audience] }),
      });
      return this.#isOf(issuer, payload) ? payload : 'iss';
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
      if (isOfClaims(error) && !this.#isOf(issuer, error.payload)) return 'iss';
      throw refusedClaims(error);
    }
  }

  /** An issuer without a name is not to speak for those that have one. */
  #isOf({ name }: Issuer, { iss }: JWTPayload): boolean {
    return name === undefined ? !this.#named.has(iss) : iss === name;
  }
}

/** The first that is an identity or a refusal, without waiting for the others; where none is, the miss to tell of. */
function firstDecided(attempts: readonly Promise<Identity | Miss>[]): Promise<Identity | Miss> {
  return new Promise((resolve, reject) => {
    let miss: Miss = 'key';
    const missed = attempts.map(async (attempt) => {
      const outcome = await attempt;
      if (isIdentity(outcome)) resolve(outcome);
      else miss = further(miss, outcome);
    });
    Promise.all(missed).then(() => resolve(miss), reject);
  });
}

function isIdentity(outcome: Identity | Miss): outcome is Identity {
  return typeof outcome !== 'string';
}

function further(one: Miss, other: Miss): Miss {
  return MISSES.indexOf(one) > MISSES.indexOf(other) ? one : other;
}

function refusalOf(miss: Miss): Refused {
  if (miss === 'key') return notAccepted();
  if (miss === 'signature') return notAccepted("the token's signature is not good");
  if (miss === 'iss') return notAccepted("the token's iss is missing or not good");
  return new Refused('unavailable', 'the keys to check tokens with can not be had just now');
}

function isOfClaims(error: unknown): error is errors.JWTClaimValidationFailed | errors.JWTExpired {
  return error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired;
}

/** What jose found in a token that is signed well. Anything else is a fault of ours. */
function refusedClaims(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return notAccepted('the token has expired');
  if (isOfClaims(error)) return notAccepted(`the token's ${error.claim} is missing or not good`);
  return error instanceof errors.JOSEError ? notAccepted() : error;
}
