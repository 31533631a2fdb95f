import * as z from 'zod';
import { pause } from '../../../client/pause.js';
import { eventsOf } from '../../../client/sse-reader.js';
import { Answer, ask, refusalOf } from '../wire/http.js';
import type { Ended, Visit } from './visit.js';

const POLL_EVERY_MS = 30;
const GONE = 410;

const items = z.array(z.unknown());
const control = z.object({ streamNextOffset: z.string() });

/** Follows a channel as a stream, by Server-Sent Events. */
export async function followEvents(visit: Visit): Promise<Ended> {
  const { trail, leave, slowMs } = visit;
  const channel = channelOf(visit);
  const response = await request(visit, '&live=sse');
  if (!(response instanceof Answer)) return response;
  try {
    for await (const { id, data } of eventsOf(slowly(response, slowMs, leave))) {
      if (leave.aborted) return 'over';
      const told: unknown = JSON.parse(data);
      if (Array.isArray(told)) trail.received(channel, told, id);
      else trail.stands(channel, control.parse(told).streamNextOffset);
    }
    return 'over';
  } catch {
    return 'lost'; // cut amid bytes
  }
}

/** The same by long-polling. */
export function followLongPoll(visit: Visit): Promise<Ended> {
  return oneAfterTheOther(visit, '&live=long-poll', 0);
}

/** The same by polling. */
export function followPoll(visit: Visit): Promise<Ended> {
  return oneAfterTheOther(visit, '', POLL_EVERY_MS);
}

async function oneAfterTheOther(visit: Visit, mode: string, everyMs: number): Promise<Ended> {
  const { trail, leave, slowMs } = visit;
  const channel = channelOf(visit);
  while (!leave.aborted) {
    const response = await request(visit, mode);
    if (!(response instanceof Answer)) return response;
    try {
      const text = await response.text();
      const offset = response.header('stream-next-offset');
      if (offset === undefined || leave.aborted) return 'over';
      const data = response.status === 204 ? [] : items.parse(JSON.parse(text));
      if (data.length > 0) trail.received(channel, data, offset);
      else trail.stands(channel, offset);
    } catch {
      return 'lost'; // cut amid bytes
    }
    await pause(everyMs + slowMs, leave);
  }
  return 'over';
}

/** What is told with it that is missing goes into the history. */
async function request({ target, trail, channels, leave }: Visit, mode: string): Promise<Answer | Ended> {
  const [channel = ''] = channels;
  try {
    const path = `/v1/stream/${channel}?offset=${trail.position(channel)}${mode}`;
    const response = await ask(target, path, { signal: leave });
    if (response.isOk) return response;
    const refusal = await refusalOf(response);
    if (response.status !== GONE) return refusal ?? 'lost';
    trail.missed(channel, null);
    return 'over';
  } catch {
    return 'lost';
  }
}

function channelOf({ channels }: Visit): string {
  const [channel = ''] = channels;
  return channel;
}

/** The bytes of a body, taken at leisure: what is not taken waits at the server. */
export async function* slowly(
  { body }: Answer,
  slowMs: number,
  leave: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    yield bytes;
    if (slowMs > 0) await pause(slowMs, leave);
  }
}
