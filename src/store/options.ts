import type { Rules } from './log/channels.js';
import type { Keeping } from './log/retention.js';
import { DEFAULT_RETENTION, KEEP_EVERYTHING } from './retention.js';
import type { Retention } from './store.js';
import type { Watchers } from './watchers.js';

/** What every store of this package may be told. */
export interface StoreOptions {
  /**
   * How long a channel's log is kept. `whole` is true for one that was made to be kept whole. Default:
   * DEFAULT_RETENTION for all but those, of which everything is kept. Asked again at any time: it gives the same for
   * the same channel.
   */
  readonly retention?: (channel: string, whole: boolean) => Retention;
  /** How many channels there may be; one more is refused with `too_many`. Default 100,000. */
  readonly maxChannels?: number;
  /** Bytes of all channels together; what finds no room even so is refused with `unavailable`. */
  readonly maxBytes?: number;
  /** How long an empty channel that nobody watches keeps its identity, in ms. Default 24 h. */
  readonly identityMs?: number;
  /** The time in ms since 1970. Default Date.now. */
  readonly now?: () => number;
  /** A number from 0 up to but not including 1. Default Math.random. */
  readonly random?: () => number;
}

const MAX_CHANNELS = 100_000;
const IDENTITY_MS = 24 * 3_600_000;
const SALTS = 36 * 36;

export function keepingOf(
  { retention, maxBytes }: StoreOptions,
  defaultMaxBytes: number,
): (channel: string, whole: boolean) => Keeping {
  const retentionOf = retention ?? ((_, whole) => (whole ? KEEP_EVERYTHING : DEFAULT_RETENTION));
  const maxStoreBytes = maxBytes ?? defaultMaxBytes;
  return (channel, whole) => ({ retention: retentionOf(channel, whole), whole, maxStoreBytes });
}

export function rulesOf(options: StoreOptions, watchers: Watchers): Rules {
  return {
    maxChannels: options.maxChannels ?? MAX_CHANNELS,
    identityMs: options.identityMs ?? IDENTITY_MS,
    salt: Math.floor((options.random ?? Math.random)() * SALTS),
    isWatched: (channel) => watchers.has(channel),
  };
}
