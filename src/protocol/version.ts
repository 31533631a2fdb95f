/** The subprotocol that a WebSocket client offers to speak envelopes (docs/protocol.md, "Subprotocol"). */
export const SUBPROTOCOL = 'earshot.v1.json';

/** An offered value that begins so carries a token: base64url of it, unpadded. It is never selected. */
export const BEARER_PREFIX = 'earshot.bearer.';

/** As an offset: the beginning of what is kept. */
export const BEGINNING = '-1';

/** As an offset: the tail, so that only what is published from now on comes. */
export const NOW = 'now';
