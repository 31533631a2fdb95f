import { CLOSES } from '../../protocol/codes.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';
import { idleFix } from './fixes.js';
import { listen } from './stream.js';
import type { Target } from './target.js';
import { MAX_IDLE_MS } from './target.js';
import { connect, seconds } from './upgrade.js';

/** On top of the server's interval between pings: so long a silence must be borne. */
const MARGIN_MS = 5000;
/** Timers here and there don't agree to the millisecond. */
const TOLERANCE_MS = 250;

/** What became of something that was silent: cut after so many ms, ended by the server, kept, or not to be had. */
type Fate = { readonly cutAfterMs: number } | 'ended' | 'kept' | 'missing';

/** How long to be silent. */
export function silenceMs({ idleMs }: Target, pingIntervalMs: number): number {
  return idleMs ?? Math.min(pingIntervalMs + MARGIN_MS, MAX_IDLE_MS);
}

/** Is a silence as long as the server's between two pings borne, by a WebSocket and by a stream of events? */
export async function idle(target: Target, pingIntervalMs: number): Promise<Finding> {
  const idleMs = silenceMs(target, pingIntervalMs);
  const [stream, webSocket] = await Promise.all([streamFate(target, idleMs), webSocketFate(target, idleMs)]);
  return verdict({ 'stream of events': stream, WebSocket: webSocket }, idleMs, pingIntervalMs);
}

function verdict(fates: Readonly<Record<string, Fate>>, idleMs: number, pingIntervalMs: number): Finding {
  const neededMs = pingIntervalMs + MARGIN_MS;
  const pings = `the server pings every ${seconds(pingIntervalMs)}`;
  const all = Object.entries(fates);
  const cuts = all.flatMap(([what, fate]) =>
    typeof fate === 'object' ? [{ what, ms: fate.cutAfterMs }] : [],
  );
  if (cuts.length > 0) {
    const told = cuts.map(({ what, ms }) => `a silent ${what} was cut after ${seconds(ms)}`).join(', ');
    const isTooShort = cuts.some(({ ms }) => ms < neededMs);
    return isTooShort
      ? fail('idle', `${told}; ${pings}`, idleFix(neededMs))
      : ok('idle', `${told}; ${pings}`);
  }
  if (all.some(([, fate]) => fate === 'ended'))
    return warn('idle', 'not checked: the server ended meanwhile');
  const kept = all.filter(([, fate]) => fate === 'kept').map(([what]) => what);
  if (kept.length === 0)
    return warn('idle', 'not checked: neither a stream of events nor a WebSocket is to be had');
  return ok('idle', `a silence of ${seconds(idleMs)} is borne (${kept.join(', ')}); ${pings}`);
}

async function streamFate(target: Target, idleMs: number): Promise<Fate> {
  const sinceMs = performance.now();
  try {
    const came = await listen(target, idleMs);
    if ('status' in came) {
      const isGatewayTimeout = came.status === 504; // the headers were kept back as well
      return isGatewayTimeout ? { cutAfterMs: performance.now() - sinceMs } : 'missing';
    }
    const { firstAtMs = 0, endAtMs, closedAtMs } = came;
    if (endAtMs === undefined) return { cutAfterMs: closedAtMs - firstAtMs };
    return endAtMs < idleMs - TOLERANCE_MS ? 'ended' : 'kept';
  } catch {
    return 'missing'; // the checks before have told why
  }
}

async function webSocketFate(target: Target, idleMs: number): Promise<Fate> {
  try {
    const came = await connect(target);
    if ('status' in came) return 'missing';
    const sinceMs = performance.now();
    const code = await closedWithin(came.socket.closed, idleMs);
    came.socket.close();
    if (code === undefined) return 'kept';
    return code === CLOSES.drain.code ? 'ended' : { cutAfterMs: performance.now() - sinceMs };
  } catch {
    return 'missing'; // the checks before have told why
  }
}

/** The code that it was closed with; undefined where it stays open. */
async function closedWithin(closed: Promise<number>, ms: number): Promise<number | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const open = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([closed, open]).finally(() => clearTimeout(timer));
}
