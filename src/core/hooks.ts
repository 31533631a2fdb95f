import type { Producer } from '../protocol/commands.js';
import type { Start } from '../protocol/offset.js';
import type { LeftCause } from '../protocol/pushes.js';
import type { Transport } from './carrier.js';
import type { Action } from './policy/action.js';
import type { Caller } from './policy/policy.js';

/** Who does something, as hooks are told. */
export interface Actor {
  readonly caller: Caller;
  /** The id of the session; undefined for a request over HTTP, which has none. */
  readonly session: string | undefined;
  /** The peer's address, behind a trusted proxy the forwarded one. */
  readonly address: string;
}

/** Somebody asks to do something on a channel. */
export interface AuthorizeEvent extends Actor {
  /** `manage` is to make the channel by PUT, to close or to delete it: true to whatever is asked allows that too. */
  readonly action: Action;
  readonly channel: string;
}

/** Somebody who may subscribe is about to. */
export interface SubscribeEvent extends Actor {
  readonly channel: string;
  /** Where the subscription is to begin. */
  readonly start: Start;
  /** True where joined and left are to be told. */
  readonly presence: boolean;
}

/** A message that may be published is about to be stored. */
export interface PublishEvent extends Actor {
  readonly channel: string;
  /** Any JSON value, checked by the channel's schema where it has one. */
  readonly data: unknown;
  readonly producer: Producer | undefined;
}

/** What is stored instead of what was published. What is left out stays as it is. */
export interface PublishChange {
  /** Anything that JSON.stringify prints; not checked by the schema again. */
  readonly data?: unknown;
  /** Who readers see it come from. Default: the publisher's name. */
  readonly from?: string;
  /** Notes of the server, beside the data: readers get them as `meta`. Any JSON object. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** A session has ended. */
export interface DisconnectEvent extends Actor {
  readonly session: string;
  readonly transport: Transport;
  readonly cause: LeftCause;
  /** ms since 1970. */
  readonly beganAt: number;
}

/**
 * The host's say, as the core calls it: each is bounded in time, and throws `Refused` and nothing else.
 * undefined where the host has none.
 */
export interface CoreHooks {
  /** True and false are the verdict; undefined leaves it to the table. */
  readonly authorize?: (event: AuthorizeEvent) => Promise<boolean | undefined>;
  readonly onSubscribe?: (event: SubscribeEvent) => Promise<void>;
  readonly onPublish?: (event: PublishEvent) => Promise<PublishChange | undefined>;
  /** Nobody waits for it. */
  readonly onDisconnect?: (event: DisconnectEvent) => void;
}
