import type { SessionLimits } from '../protocol/pushes.js';

/** What several sessions may do together, or one besides its own bounds. Nothing is bounded that isn't set. */
export interface SharedLimits {
  readonly maxSessions?: number | undefined;
  readonly maxSubscriptions?: number | undefined;
  readonly commandsPerSecond?: number | undefined;
  readonly publishesPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly connectsPerSecond?: number | undefined;
}

/** Every bound of a session (PROTOCOL §6), and of what belongs together. */
export interface Limits {
  /** Of one frame that comes in. */
  readonly maxFrameBytes: number;
  /** Levels that data may nest. */
  readonly maxDataDepth: number;
  readonly maxSubscriptions: number;
  readonly commandsPerSecond: number;
  /** Commands that may come at once after a quiet while. */
  readonly commandBurst: number;
  /** Publishes of one session. */
  readonly publishesPerSecond?: number | undefined;
  /** Bytes of commands of one session. */
  readonly bytesPerSecond?: number | undefined;
  /** Of all sessions of one user. */
  readonly perUser: SharedLimits;
  /** Of all sessions from one address. */
  readonly perAddress: SharedLimits;
  /** Messages that one `history` gives at most. */
  readonly historyPage: number;
  /** Bytes queued to one connection before its subscriptions fall back to catching up. */
  readonly maxQueuedBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxFrameBytes: 64 * 1024,
  maxDataDepth: 64,
  maxSubscriptions: 128,
  commandsPerSecond: 100,
  commandBurst: 200,
  perUser: {},
  perAddress: {},
  historyPage: 1000,
  maxQueuedBytes: 256 * 1024,
};

/** Bytes that one read of the log takes, and so one page of history or of catching up. */
export const MAX_PAGE_BYTES = 128 * 1024;

/** Bytes of messages that leave in one write; more of one turn leave in several, each where there is room. */
export const MAX_BATCH_BYTES = 128 * 1024;

/**
 * Messages that leave in one write, and that one read of the log for a subscription takes: where each is printed with
 * something of its own, small ones make much.
 */
export const MAX_WRITE_MESSAGES = 200;

/** Messages that one append has at most. */
export const MAX_BATCH_MESSAGES = 10_000;

/** Messages of one body, and bytes of them, that are looked at in one turn of the event loop. */
export const MAX_SLICE_MESSAGES = 256;
export const MAX_SLICE_BYTES = 256 * 1024;

/** Commands of one session that are carried out at once; more wait unread. */
export const MAX_COMMANDS_IN_FLIGHT = 16;

/** Commands of one session that begin in one turn of the event loop: then it is the others' turn. */
export const MAX_COMMANDS_A_TURN = 64;

/** Members that one list names; `count` tells how many there are. */
export const MAX_MEMBERS_LISTED = 1000;

/** Faults in a row after which a session is ended. */
export const STRIKES = { badEnvelope: 10, tooManySubscriptions: 10, rateLimited: 100 } as const;

/** What bounds one session besides its commands and subscriptions. */
export function ownLimits({ publishesPerSecond, bytesPerSecond }: Limits): SharedLimits {
  return { publishesPerSecond, bytesPerSecond };
}

/** What `welcome` tells of the limits. */
export function toldLimits(limits: Limits): SessionLimits {
  const { maxFrameBytes, maxDataDepth, maxSubscriptions, commandsPerSecond, commandBurst, historyPage } =
    limits;
  return { maxFrameBytes, maxDataDepth, maxSubscriptions, commandsPerSecond, commandBurst, historyPage };
}
