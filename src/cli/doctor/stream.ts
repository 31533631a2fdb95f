import type { Answer } from './ask.js';
import { answerOf, open, unanswered } from './ask.js';
import type { Target } from './target.js';

/** When what came of a stream, in ms since it was asked for; undefined where it didn't. */
export interface Timeline {
  readonly firstAtMs: number | undefined;
  readonly endAtMs: number | undefined;
  /** When nothing more came, and why where it was not the end. */
  readonly closedAtMs: number;
  readonly cut: string | undefined;
}

const MAX_LENGTH = 65_536;

/**
 * Asks who we are as a stream of two events with a silence between them. Gives the answer where it is no stream.
 * Never waits longer than the silence and `timeoutMs`. Rejects where nothing answers at all.
 */
export async function listen(target: Target, silentMs: number): Promise<Timeline | Answer> {
  const sinceMs = performance.now();
  const timeout = AbortSignal.timeout(silentMs + target.timeoutMs);
  const response = await open(target, `/v1/session?silentMs=${silentMs}`, 'text/event-stream', timeout);
  const isStream = /^text\/event-stream\b/.test(response.headers.get('content-type') ?? '');
  if (response.status !== 200 || !isStream) return answerOf(response);
  const times: Times = { firstAtMs: undefined, endAtMs: undefined };
  const cut = await readInto(times, response, () => performance.now() - sinceMs);
  return { ...times, cut, closedAtMs: performance.now() - sinceMs };
}

interface Times {
  firstAtMs: number | undefined;
  endAtMs: number | undefined;
}

/** Notes when the events come. Why there were no more, where it was not the last. */
async function readInto(times: Times, response: Response, now: () => number): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (/^event: session$/m.test(text)) times.firstAtMs ??= now();
      if (/^event: end$/m.test(text)) times.endAtMs ??= now();
      if (times.endAtMs !== undefined) return undefined;
      if (text.length > MAX_LENGTH) return 'it is no stream of ours';
    }
    return 'it ended';
  } catch (error) {
    return unanswered(error).message;
  }
}
