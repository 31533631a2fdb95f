/** What can be done on a channel. */
export const ACTIONS = ['subscribe', 'publish', 'history', 'presence'] as const;
export type Action = (typeof ACTIONS)[number];
