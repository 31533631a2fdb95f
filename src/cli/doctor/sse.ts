import { failed, problemOf, stranger } from './ask.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';
import { BUFFERING_FIX } from './fixes.js';
import type { Timeline } from './stream.js';
import { listen } from './stream.js';
import type { Target } from './target.js';

const SILENT_MS = 1000;
/** Nearer than this to what ended the silence, an event was kept back until then. */
const TOGETHER_MS = 250;

/** Do events come when they are sent, or are they kept back? */
export async function sse(target: Target): Promise<Finding> {
  try {
    const came = await listen(target, SILENT_MS);
    if (!('status' in came)) return promptness(came);
    if (came.status === 200) return warn('sse', 'not checked: what answers /v1/session does not stream');
    return problemOf(came) === undefined ? stranger('sse', came) : warn('sse', `not checked: ${came.status}`);
  } catch (error) {
    return failed('sse', error);
  }
}

/** Two events together, where a silence was between them, were in a buffer. */
function promptness({ firstAtMs, endAtMs, closedAtMs, cut }: Timeline): Finding {
  const silenceEndsAtMs = endAtMs ?? closedAtMs;
  if (firstAtMs === undefined) {
    return fail(
      'sse',
      `no event came in ${closedAtMs.toFixed()} ms: ${cut ?? 'it is no stream of ours'}`,
      BUFFERING_FIX,
    );
  }
  const isLate = firstAtMs > SILENT_MS - TOGETHER_MS;
  if (isLate && silenceEndsAtMs - firstAtMs < TOGETHER_MS) {
    const seen = `a proxy buffers: the first event came after ${firstAtMs.toFixed()} ms, together with the second`;
    return fail('sse', seen, BUFFERING_FIX);
  }
  return ok('sse', `the first event came after ${firstAtMs.toFixed()} ms, before the second was sent`);
}
