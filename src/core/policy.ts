/** What can be done on a channel. */
export type Action = 'subscribe' | 'publish' | 'history' | 'presence';

/** Who asks. */
export interface Caller {
  /** The `sub` of the token; null where there was none. */
  readonly user: string | null;
  readonly name: string;
  /** Every claim of the verified token. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}

/** Who was admitted, and until when. */
export interface Identity extends Caller {
  /** In ms since 1970; null where the session has no end of its own. */
  readonly expiresAt: number | null;
}

/** Who may do what on which channel. Asked for every command; a throw is logged and answered with `internal`. */
export interface Policy {
  may(caller: Caller, action: Action, channel: string): boolean | Promise<boolean>;
}

/** Anybody may do anything: for development on one's own machine. */
export const openPolicy: Policy = { may: () => true };

/** Who has a good token may do anything, nobody else may do anything. */
export const userPolicy: Policy = { may: (caller) => caller.user !== null };
