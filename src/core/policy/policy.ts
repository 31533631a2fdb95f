import type { Retention } from '../../store/store.js';
import type { Action } from './action.js';
import type { Grant } from './grants.js';

/** Who asks. */
export interface Caller {
  /** The `sub` of the token; null where there was none. */
  readonly user: string | null;
  readonly name: string;
  /** Every claim of the verified token. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
  /** What the caller's own list of channels allows; undefined where there is no such list. */
  readonly grants?: readonly Grant[] | undefined;
}

/** Who was admitted, and until when. */
export interface Identity extends Caller {
  /** In ms since 1970; null where the session has no end of its own. */
  readonly expiresAt: number | null;
  /** The `jti` of the token. */
  readonly tokenId?: string | undefined;
  /** When the token was issued, its `iat`, in ms since 1970. */
  readonly issuedAt?: number | undefined;
  /** What the host said of the caller, where it did. */
  readonly host?: HostWord | undefined;
}

/** What the host said when the session began: a token that is renewed does not change it. */
export interface HostWord {
  /** Who the token was of, if there was one: a renewed one is of the same. */
  readonly tokenUser: string | null;
  readonly says: Partial<Omit<Identity, 'host'>>;
}

/**
 * Which publishing makes a channel that isn't there: a `publish` command, but no POST to its stream; both; or none,
 * where it's `server`.
 */
export type Create = 'command' | 'publish' | 'server';

/** What holds for the channels of one pattern, whoever uses them. */
export interface ChannelRule {
  /** The pattern as it was written. */
  readonly pattern: string;
  /** True where nobody has written it: it holds where nothing is said. */
  readonly isBuiltIn: boolean;
  /** What callers without a token may do. */
  readonly anonymous: ReadonlySet<Action>;
  /** What callers with a token may do besides; one with a list of channels in its token may what that says instead. */
  readonly authenticated: ReadonlySet<Action>;
  /** False: nobody is told who is there. */
  readonly presence: boolean;
  /** What makes a channel, besides the server's own code, the operator, and who may `manage` it. */
  readonly create: Create;
  readonly retention: Retention;
  /** What the rule itself says of retention, before the option `retention` fills the rest: a channel made by PUT keeps the rest whole. */
  readonly ownRetention: Partial<Retention>;
  /** Bytes of the data of one message from a client; undefined: as many as fit into a frame. */
  readonly maxMessageBytes: number | undefined;
  /** Messages of one user, or of one address where anonymous, to one channel; undefined: as many as commands. */
  readonly publishesPerSecond: number | undefined;
  /** For how long messages gather for live readers, in ms; 0: for the turn of the event loop. */
  readonly flushMs: number;
  /** One line per fault of data that this channel does not take, each with its path. None where it is good. */
  readonly validate: ((data: unknown) => readonly string[]) | undefined;
}
