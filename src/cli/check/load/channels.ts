import { pause } from '../../client/pause.js';
import type { Target } from '../../doctor/target.js';
import { CommandError } from '../../failure.js';
import type { Refusal } from './wire/http.js';
import { ask, refusalOf } from './wire/http.js';
import { Line } from './wire/line.js';

const ANSWER_MS = 10_000;
const TRIES = 5;

/**
 * Makes a channel, kept whole where the caller may make some; else the first message makes it, with the retention of
 * its rule. Gives the position that nothing was published before. Rejects where it can't be followed.
 */
export async function makeChannel(target: Target, channel: string, signal: AbortSignal): Promise<string> {
  for (let at = 0; at < TRIES; at++) {
    const made = await once(target, channel);
    if (typeof made === 'string') return made;
    if (made.advice !== 'retry')
      throw CommandError.notHad(`${made.code}: ${channel} can't be made and followed`);
    await pause(made.afterMs, signal);
  }
  throw CommandError.notHad(`there is no server at ${target.base} that takes a channel`);
}

/** True where it is deleted. */
export async function deleteChannel(target: Target, channel: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await ask(target, `/v1/stream/${channel}`, { method: 'DELETE', signal });
    answer.leave();
    return answer.isOk;
  } catch {
    return false;
  }
}

async function once(target: Target, channel: string): Promise<string | Refusal> {
  const put = await make(target, channel);
  if (typeof put === 'string' || put.advice === 'retry') return put;
  return await follow(target, channel);
}

async function make(target: Target, channel: string): Promise<string | Refusal> {
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await ask(target, `/v1/stream/${channel}`, { method: 'PUT', headers, signal });
    const offset = response.header('stream-next-offset');
    if (!response.isOk || offset === undefined) return (await refusalOf(response)) ?? AWAY;
    response.leave();
    return offset;
  } catch {
    return AWAY;
  }
}

/** A channel has a position before it has a message. */
async function follow(target: Target, channel: string): Promise<string | Refusal> {
  const line = await Line.open(target);
  if (!(line instanceof Line)) return line.refusal ?? AWAY;
  const timer = setTimeout(() => line.cut(), ANSWER_MS);
  const reply = line.reply(1);
  line.send(JSON.stringify({ type: 'subscribe', id: 1, channel }));
  const answer = await reply;
  clearTimeout(timer);
  line.cut();
  if (answer?.type === 'subscribed') return String(answer['offset']);
  return answer === undefined ? AWAY : { code: String(answer['code']), advice: 'never', afterMs: 0 };
}

const AWAY: Refusal = { code: 'unreachable', advice: 'retry', afterMs: 300 };
