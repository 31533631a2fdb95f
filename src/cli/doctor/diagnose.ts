import type { Finding } from './finding.js';
import { warn } from './finding.js';
import { idle, silenceMs } from './idle.js';
import { reach } from './reach.js';
import { session } from './session.js';
import { sse } from './sse.js';
import type { Target } from './target.js';
import { seconds, upgrade } from './upgrade.js';

const DEFAULT_PING_INTERVAL_MS = 25_000;

/**
 * Every check in its order, as soon as it is done. What needs what failed is not tried. `say` is told of what takes
 * long.
 */
export async function* diagnose(
  target: Target,
  say: (words: string) => void,
): AsyncGenerator<Finding, void, void> {
  const reached = await reach(target);
  yield reached;
  if (reached.outcome === 'fail') return;
  const admitted = await session(target);
  yield admitted;
  const [upgraded, welcome] = await upgrade(target);
  yield upgraded;
  if (admitted.outcome === 'fail') {
    yield warn('sse', 'not checked, as /v1/session fails');
    if (target.idleMs !== 0) yield warn('idle', 'not checked, as /v1/session fails');
    return;
  }
  yield await sse(target);
  if (target.idleMs === 0) return;
  const { pingIntervalMs } = welcome ?? { pingIntervalMs: DEFAULT_PING_INTERVAL_MS };
  say(`silent for ${seconds(silenceMs(target, pingIntervalMs))}, to see whether it is cut`);
  yield await idle(target, pingIntervalMs);
}
