/** What a caller with a token may do where nothing else is said. */
export const DEFAULT_ACTIONS = ['subscribe', 'publish', 'history', 'presence'] as const;

/** What can be done on a channel. `manage`, to make, close and delete it over HTTP, is nobody's unless it is written down. */
export const ACTIONS = [...DEFAULT_ACTIONS, 'manage'] as const;
export type Action = (typeof ACTIONS)[number];
