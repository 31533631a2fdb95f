import * as z from 'zod';
import { pause } from '../../../client/pause.js';
import { eventsOf } from '../../../client/sse-reader.js';
import { Answer, ask, refusalOf } from '../wire/http.js';
import { hear } from './socket.js';
import { slowly } from './stream.js';
import type { Ended, Visit } from './visit.js';

const POLL_EVERY_MS = 30;
const WAIT_MS = 5000;

const envelope = z.looseObject({ type: z.string() });
const page = z.object({ cursor: z.string(), envelopes: z.array(envelope) });

/** Follows several channels at `/v1/read`, by Server-Sent Events. */
export async function followReadEvents(visit: Visit): Promise<Ended> {
  const { trail, leave, slowMs, cursor } = visit;
  const response = await request(visit, 0, { accept: 'text/event-stream' });
  if (!(response instanceof Answer)) return response;
  try {
    for await (const { id, data } of eventsOf(slowly(response, slowMs, leave))) {
      if (leave.aborted) return 'over';
      if (data !== '') hear(trail, envelope.parse(JSON.parse(data)));
      cursor.text = id;
    }
    return 'over';
  } catch {
    return 'lost'; // cut amid bytes
  }
}

/** The same by long-polling. */
export function followReadLongPoll(visit: Visit): Promise<Ended> {
  return oneAfterTheOther(visit, WAIT_MS, 0);
}

/** The same by polling. */
export function followReadPoll(visit: Visit): Promise<Ended> {
  return oneAfterTheOther(visit, 0, POLL_EVERY_MS);
}

async function oneAfterTheOther(visit: Visit, waitMs: number, everyMs: number): Promise<Ended> {
  const { trail, leave, slowMs, cursor } = visit;
  while (!leave.aborted) {
    const response = await request(visit, waitMs, {});
    if (!(response instanceof Answer)) return response;
    try {
      const told = page.parse(JSON.parse(await response.text()));
      if (leave.aborted) return 'over';
      for (const each of told.envelopes) hear(trail, each);
      cursor.text = told.cursor;
    } catch {
      return 'lost'; // cut amid bytes
    }
    await pause(everyMs + slowMs, leave);
  }
  return 'over';
}

async function request(
  { target, trail, channels, leave, cursor }: Visit,
  waitMs: number,
  headers: Readonly<Record<string, string>>,
): Promise<Answer | Ended> {
  const query = new URLSearchParams();
  for (const channel of channels) query.append('channel', channel);
  if (cursor.text !== undefined) query.set('cursor', cursor.text);
  else for (const channel of channels) query.append('offset', trail.position(channel));
  if (waitMs > 0) query.set('waitMs', String(waitMs));
  try {
    const response = await ask(target, `/v1/read?${query}`, { headers, signal: leave });
    return response.isOk ? response : ((await refusalOf(response)) ?? 'lost');
  } catch {
    return 'lost';
  }
}
