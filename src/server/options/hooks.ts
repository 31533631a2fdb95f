import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import type {
  AuthorizeEvent,
  DisconnectEvent,
  PublishChange,
  PublishEvent,
  SubscribeEvent,
} from '../../core/hooks.js';
import type { Identity } from '../../core/policy/policy.js';
import { given } from './fields.js';

/** Somebody asks to connect, or sends a request of its own; origin, token and limits have passed. */
export interface ConnectEvent {
  /** Who the token says it is; `user` is null where there was none. */
  readonly identity: Identity;
  /** The upgrade or request: its headers and cookies. */
  readonly request: IncomingMessage;
  /** The peer's address, behind a trusted proxy the forwarded one. */
  readonly address: string;
}

/** Who the caller is, as the host knows better: from a cookie of its own, say. What is left out stays as it is. */
export interface ConnectIdentity {
  /** 1 to 256 characters. */
  readonly user?: string;
  readonly name?: string;
  /** What it may do, instead of what the rules let the authenticated do: a map from patterns to actions. */
  readonly channels?: Readonly<Record<string, readonly string[]>>;
  /** Anything: other hooks find it in `caller.claims`. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** In ms since 1970: when the session ends with 4401. */
  readonly expiresAt?: number;
}

/** What a hook may return at once or as a promise. */
type Now<T> = T | Promise<T>;

/**
 * Code of the host that has a say. Each is awaited for at most `hookTimeoutMs`. `false` refuses with `forbidden`, a
 * thrown `Refused` with its code, anything else that is thrown with `internal`, a late answer with `unavailable`; the
 * last two are logged.
 */
export interface Hooks {
  /** Who may do what, before the table is asked: true and false are the verdict, undefined leaves it to the table. */
  readonly authorize?: ((event: AuthorizeEvent) => Now<boolean | undefined>) | undefined;
  /** For every upgrade and every request over HTTP. */
  readonly onConnect?: ((event: ConnectEvent) => Now<ConnectIdentity | boolean | undefined>) | undefined;
  readonly onSubscribe?: ((event: SubscribeEvent) => Now<boolean | undefined>) | undefined;
  /** After the channel's schema. What it returns is stored instead. */
  readonly onPublish?: ((event: PublishEvent) => Now<PublishChange | boolean | undefined>) | undefined;
  /** Nobody waits for it; what it throws is logged. */
  readonly onDisconnect?: ((event: DisconnectEvent) => Now<undefined>) | undefined;
}

export const hooks = z.strictObject({
  authorize: given<NonNullable<Hooks['authorize']>>(
    'function',
    'who may do what, before the table is asked: true, false, or undefined to leave it to the table',
  ),
  onConnect: given<NonNullable<Hooks['onConnect']>>(
    'function',
    'who may connect and send requests; may say who that is, from a cookie of its own say',
  ),
  onSubscribe: given<NonNullable<Hooks['onSubscribe']>>('function', 'before a subscription begins'),
  onPublish: given<NonNullable<Hooks['onPublish']>>(
    'function',
    'before a message is stored: may refuse, change or annotate it',
  ),
  onDisconnect: given<NonNullable<Hooks['onDisconnect']>>(
    'function',
    'when a session has ended, with its cause',
  ),
});

/** What a hook is told of an upgrade, as ws tells it. */
export interface UpgradeInfo {
  readonly origin: string | undefined;
  readonly secure: boolean;
  readonly req: IncomingMessage;
}

/**
 * ws's hook, asked after origin, subprotocol, token and limits have passed: with one argument it returns the
 * verdict, or a promise of it; with two it calls back. A throw, and no answer in time, are refusals.
 */
export type VerifyClient =
  | ((info: UpgradeInfo) => boolean | Promise<boolean>)
  | ((info: UpgradeInfo, answer: (verified: boolean, status?: number, message?: string) => void) => void);

/**
 * ws's hook: one of the offered subprotocols, or a promise of it; what it selects is served as a plain client.
 * It is asked where ours is not offered. False, and what was not offered, refuse with 400.
 */
export type HandleProtocols = (
  offered: ReadonlySet<string>,
  request: IncomingMessage,
) => string | false | Promise<string | false>;
