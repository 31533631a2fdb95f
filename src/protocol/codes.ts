/** What a client does about an error: try the same again later, get a new token first, or don't. */
export type Advice = 'retry' | 'refresh' | 'never';

interface ErrorRow {
  readonly status: number;
  readonly advice: Advice;
  readonly meaning: string;
}

/**
 * Every error a peer can be told, on every transport: its HTTP status, what to do about it, what it means.
 * The one table: envelopes, problem documents, the client and docs/protocol.md are held to it by tests.
 */
export const ERRORS = {
  bad_envelope: { status: 400, advice: 'never', meaning: 'The frame is not an envelope of this protocol.' },
  bad_request: {
    status: 400,
    advice: 'never',
    meaning: 'A header, a parameter or the body of the request is malformed.',
  },
  bad_channel: { status: 400, advice: 'never', meaning: 'That is not the name of a channel.' },
  bad_data: {
    status: 422,
    advice: 'never',
    meaning: 'The data is nested too deep or breaks the rules of its channel.',
  },
  bad_offset: { status: 400, advice: 'never', meaning: 'That is not an offset of this channel.' },
  bad_handshake: {
    status: 400,
    advice: 'never',
    meaning: 'The request is not an opening handshake that is served here.',
  },
  unauthenticated: {
    status: 401,
    advice: 'refresh',
    meaning: 'The token is missing, not good, or no longer good.',
  },
  forbidden: { status: 403, advice: 'never', meaning: 'The caller may not do this.' },
  not_found: { status: 404, advice: 'never', meaning: 'There is nothing of that name.' },
  method_not_allowed: { status: 405, advice: 'never', meaning: 'The method is not served at this path.' },
  conflict: { status: 409, advice: 'never', meaning: 'What is there contradicts the request.' },
  closed: { status: 409, advice: 'never', meaning: 'The channel is closed: it takes no more messages.' },
  gone: {
    status: 410,
    advice: 'never',
    meaning: 'The channel or what stood at that offset is no longer kept.',
  },
  fenced: { status: 403, advice: 'never', meaning: 'A newer epoch of this producer has taken over.' },
  out_of_sequence: {
    status: 409,
    advice: 'never',
    meaning: 'A message of this producer before this one is missing.',
  },
  too_large: { status: 413, advice: 'never', meaning: 'The frame or the body is larger than the limit.' },
  unsupported_media: {
    status: 415,
    advice: 'never',
    meaning: 'The body is of a type that is not taken here.',
  },
  upgrade_required: {
    status: 426,
    advice: 'never',
    meaning: 'This path is a WebSocket: the request must ask for the upgrade.',
  },
  too_many: {
    status: 429,
    advice: 'retry',
    meaning: 'A limit on how many of these there may be at once is reached.',
  },
  rate_limited: { status: 429, advice: 'retry', meaning: 'Too many commands in too short a time.' },
  internal: { status: 500, advice: 'retry', meaning: 'The server failed. It has logged why.' },
  draining: {
    status: 503,
    advice: 'retry',
    meaning: 'The server is about to end. Another, or its successor, will answer.',
  },
  unavailable: { status: 503, advice: 'retry', meaning: 'Something the server needs does not answer.' },
} as const satisfies Record<string, ErrorRow>;

/** The stable code of an error. */
export type ErrorCode = keyof typeof ERRORS;

/** The first code of the table that has this HTTP status. */
export function codeOfStatus(status: number): ErrorCode | undefined {
  return Object.keys(ERRORS)
    .filter(isErrorCode)
    .find((code) => ERRORS[code].status === status);
}

/** True where `code` is one of this version's codes; a newer server may send others. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

interface CloseRow {
  readonly code: number;
  readonly advice: Advice;
}

/**
 * Every code that the server closes a WebSocket with (RFC 6455 §7.4): the number is the advice.
 * `done` ends a session for good; the rest say whether and how to come back. This server doesn't send `goingAway`:
 * a proxy does when it restarts.
 */
export const CLOSES = {
  done: { code: 1000, advice: 'never' },
  goingAway: { code: 1001, advice: 'retry' },
  brokenFrame: { code: 1002, advice: 'never' },
  binaryFrame: { code: 1003, advice: 'never' },
  brokenText: { code: 1007, advice: 'never' },
  tooManyFragments: { code: 1008, advice: 'never' },
  tooLarge: { code: 1009, advice: 'never' },
  internal: { code: 1011, advice: 'retry' },
  drain: { code: 1012, advice: 'retry' },
  badEnvelope: { code: 4400, advice: 'never' },
  unauthenticated: { code: 4401, advice: 'refresh' },
  forbidden: { code: 4403, advice: 'never' },
  noPong: { code: 4408, advice: 'retry' },
  tooManySubscriptions: { code: 4413, advice: 'never' },
  rateLimited: { code: 4429, advice: 'retry' },
} as const satisfies Record<string, CloseRow>;

/** The name of a close in the table `CLOSES`. */
export type CloseName = keyof typeof CLOSES;

/** What each close means; apart from their codes, since a browser needs none of it. */
export const CLOSE_MEANINGS: Readonly<Record<CloseName, string>> = {
  done: 'Done.',
  goingAway: 'The peer has left, or a proxy between restarts.',
  brokenFrame: 'A frame broke RFC 6455.',
  binaryFrame: 'A binary frame came where text is spoken.',
  brokenText: 'A text frame was not UTF-8.',
  tooManyFragments: 'A message came in more fragments than are taken.',
  tooLarge: 'A frame was larger than maxFrameBytes.',
  internal: 'The server failed.',
  drain: 'The server restarts: come back within the advised time.',
  badEnvelope: 'Ten bad envelopes came in a row.',
  unauthenticated: 'The token has expired or was revoked.',
  forbidden: 'The session may not do what it is for.',
  noPong: 'No sign of life came after a ping, or nothing was read for too long.',
  tooManySubscriptions: 'The session went on subscribing above its limit.',
  rateLimited: 'The session went on sending above its rate.',
};

/** What a client does about a close code. A code that is not in the table is a cut: `retry`. */
export function adviceOfClose(code: number): Advice {
  return Object.values(CLOSES).find((row) => row.code === code)?.advice ?? 'retry';
}
