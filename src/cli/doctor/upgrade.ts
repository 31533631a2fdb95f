import * as z from 'zod';
import { SUBPROTOCOL } from '../../protocol/version.js';
import { within } from '../../server/within.js';
import type { Dialled, HttpAnswer } from '../../transport/websocket/dial.js';
import { dial } from '../../transport/websocket/dial.js';
import type { Answer } from './ask.js';
import { failed, parsed, problemOf, stranger, Unanswered } from './ask.js';
import type { Finding, Fix } from './finding.js';
import { fail, ok } from './finding.js';
import { UPGRADE_FIX } from './fixes.js';
import { refusal } from './session.js';
import type { Target } from './target.js';
import { headersOf } from './target.js';

const MAX_FRAME_BYTES = 1_048_576;
const DAY_MS = 86_400_000;

const welcomeEnvelope = z.object({
  type: z.literal('welcome'),
  protocol: z.literal(SUBPROTOCOL),
  name: z.string(),
  pingIntervalMs: z.int().min(1).max(DAY_MS),
});
export type Welcome = z.infer<typeof welcomeEnvelope>;

export interface Welcomed {
  readonly socket: Dialled;
  readonly welcome: Welcome;
}

/** Does a WebSocket get through, and is it greeted? With the greeting, where it is. */
export async function upgrade(target: Target): Promise<readonly [Finding, Welcome | undefined]> {
  try {
    const came = await connect(target);
    if ('status' in came) return [explained(came, target), undefined];
    came.socket.close();
    const { name, pingIntervalMs } = came.welcome;
    return [
      ok('upgrade', `101, welcomed as ${name}; the server pings every ${seconds(pingIntervalMs)}`),
      came.welcome,
    ];
  } catch (error) {
    return [failed('upgrade', error), undefined];
  }
}

/** A WebSocket that has been greeted, or the answer that came instead. Rejects where neither comes in time. */
export async function connect(target: Target): Promise<Welcomed | Answer> {
  const { timeoutMs } = target;
  const came = await dial(target.wsUrl, {
    subprotocol: SUBPROTOCOL,
    headers: headersOf(target),
    timeoutMs,
    maxFrameBytes: MAX_FRAME_BYTES,
  });
  if ('status' in came) return answerOf(came);
  const late = () => new Unanswered(`101, and then no welcome within ${seconds(timeoutMs)}: ${BETWEEN}`);
  try {
    const text = await within(timeoutMs, came.first, late);
    if (text === undefined)
      throw new Unanswered(`101, and then closed (${await came.closed}) without a welcome`);
    const welcome = parsed(welcomeEnvelope, text);
    if (welcome !== undefined) return { socket: came, welcome };
    throw new Unanswered(`101, and then no welcome but: ${text.slice(0, 100)}`);
  } catch (error) {
    came.close();
    throw error;
  }
}

const BETWEEN = 'something between keeps it back, or it is not Earshot that took the upgrade';

export function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

function answerOf({ status, headers, body }: HttpAnswer): Answer {
  const single = Object.entries(headers).map(([name, value]) => [name, value && String(value)] as const);
  return { status, headers: Object.fromEntries(single), body };
}

function explained(answer: Answer, target: Target): Finding {
  const { status } = answer;
  if (status === 426)
    return fail('upgrade', '426: the request arrives without its upgrade, a proxy drops it', UPGRADE_FIX);
  const problem = problemOf(answer);
  if (problem?.code === 'not_found') return fail('upgrade', `404: ${problem.detail}`, PATH_FIX);
  if (problem !== undefined) return refusal('upgrade', status, problem, target);
  return stranger('upgrade', answer);
}

const PATH_FIX: Fix = { you: 'give the path of the WebSocket with --path', Earshot: '"path": "/ws"' };
