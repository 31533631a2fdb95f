import * as z from 'zod';
import type { Header } from './header.js';
import type { Algorithm, VerificationKey } from './keys.js';
import { keyFromJwk, limitedTo, matching, UnusableKey } from './keys.js';

/** What fetching keys takes from outside. */
export interface RemoteKeysParts {
  /** ms since 1970. */
  now(): number;
  readonly fetch: typeof globalThis.fetch;
  /** Told once for each time that the keys could not be had. */
  logError(error: unknown): void;
  /** For one fetch with its body. Default 5,000. */
  readonly fetchTimeoutMs?: number;
}

const FETCH_TIMEOUT_MS = 5000;
/** From the beginning of one fetch to that of the next, whatever came of it. */
export const COOLDOWN_MS = 30_000;
/** Keys that are older are fetched anew. */
export const REFRESH_MS = 600_000;
/** Keys that nobody has asked for in so long are not believed before they are fetched anew. */
export const FORGOTTEN_MS = 2 * REFRESH_MS;
export const MAX_SET_BYTES = 64 * 1024;
/** Of a set; its further keys are left out. */
const MAX_KEYS = 64;

const jwkSet = z.object({ keys: z.array(z.unknown()) });

/**
 * The public keys that one issuer has at an address (JWKS, RFC 7517 §5). They are fetched when they are first
 * needed, and anew, at most once per cooldown, when a token names a key that is not among them or when they are
 * old; whoever waits waits for the same fetch. What was had last holds until something good replaces all of it.
 */
export class RemoteKeys {
  readonly #option: string;
  readonly #url: string;
  readonly #algorithms: readonly Algorithm[];
  readonly #parts: RemoteKeysParts;
  #keys: readonly VerificationKey[] | undefined;
  #goodAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  /** `option` is how the log calls it; of the set, only keys for these algorithms are taken. */
  constructor(option: string, url: string, algorithms: readonly Algorithm[], parts: RemoteKeysParts) {
    this.#option = option;
    this.#url = url;
    this.#algorithms = algorithms;
    this.#parts = parts;
  }

  /** The keys for such a token as they are at hand; none where it is worth to wait for `fetched`. Never waits. */
  atHand(header: Header): readonly VerificationKey[] {
    if (this.#isOlder(this.#askedAt, FORGOTTEN_MS)) return [];
    if (this.#isOlder(this.#goodAt, REFRESH_MS)) void this.#refresh();
    return matching(this.#keys ?? [], header);
  }

  /** The keys for such a token, fetched anew where that may be; undefined where there never were any. */
  async fetched(header: Header): Promise<readonly VerificationKey[] | undefined> {
    await this.#refresh();
    return this.#keys === undefined ? undefined : matching(this.#keys, header);
  }

  /** True where a token of this algorithm can be of this issuer at all. */
  takes({ alg }: Header): boolean {
    return this.#algorithms.some((algorithm) => algorithm === alg);
  }

  /** Joins the fetch that is under way, or begins one unless it is too soon. Never rejects. */
  async #refresh(): Promise<void> {
    if (this.#fetching === undefined && this.#isOlder(this.#askedAt, COOLDOWN_MS)) {
      this.#askedAt = this.#parts.now();
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { fetch, now, logError, fetchTimeoutMs = FETCH_TIMEOUT_MS } = this.#parts;
    try {
      const headers = { accept: 'application/jwk-set+json, application/json' };
      const text = await inTime(fetchTimeoutMs, async (signal) =>
        textOf(await fetch(this.#url, { redirect: 'error', headers, signal }), signal),
      );
      this.#keys = keysOf(text, this.#algorithms);
      this.#goodAt = now();
    } catch (cause) {
      logError(new Error(`${this.#option}: the keys can't be had`, { cause }));
    }
  }

  /** A clock that was put back counts as time that has passed. */
  #isOlder(since: number, ms: number): boolean {
    const ageMs = this.#parts.now() - since;
    return ageMs < 0 || ageMs >= ms;
  }
}

/**
 * What comes of some work, unless it takes longer. Not left to the signal alone: once there is a response, a fetch of
 * Node may lose it to the collection of garbage, and wait for ever.
 */
function inTime<Result>(ms: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = new Error(`there was no whole answer within ${ms} ms`);
      controller.abort(late);
      reject(late);
    }, ms);
    work(controller.signal)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** The body, up to its bound. Throws where it is more, or the answer isn't 200. */
async function textOf(response: Response, signal: AbortSignal): Promise<string> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  const cancel = () => void reader?.cancel().catch(() => {}); // nobody waits for it any more
  signal.addEventListener('abort', cancel);
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    bytes += read.value.byteLength;
    if (bytes > MAX_SET_BYTES) {
      cancel();
      throw new Error(`the set has more than ${MAX_SET_BYTES} bytes`);
    }
    chunks.push(read.value);
  }
  return Buffer.concat(chunks).toString();
}

/** The keys of a set that check one of the algorithms. Throws where there is none. */
function keysOf(text: string, algorithms: readonly Algorithm[]): readonly VerificationKey[] {
  const { keys } = jwkSet.parse(JSON.parse(text));
  const taken = limitedTo(algorithms, keys.slice(0, MAX_KEYS).flatMap(keyOrNone));
  if (taken.length === 0) throw new Error('the set has no key for the algorithms that are accepted');
  return taken;
}

/** Sets have keys of other uses and kinds as well: those are left out. */
function keyOrNone(jwk: unknown): readonly VerificationKey[] {
  try {
    return [keyFromJwk(jwk)];
  } catch (error) {
    if (error instanceof UnusableKey) return [];
    throw error;
  }
}
