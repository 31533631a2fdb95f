import * as z from 'zod';
import { pause } from '../../../client/pause.js';
import type { Envelope } from '../wire/line.js';
import { Line } from '../wire/line.js';
import type { Trail } from './trail.js';
import type { Ended, Visit } from './visit.js';

const place = { channel: z.string(), offset: z.string() };
const told = z.discriminatedUnion('type', [
  z.object({ type: z.literal('message'), ...place, data: z.unknown() }),
  z.object({ type: z.literal('gap'), ...place }),
  z.object({ type: z.literal('subscribed'), ...place, resume: z.enum(['complete', 'lost', 'none']) }),
]);
const refused = z.object({
  type: z.literal('error'),
  code: z.string(),
  advice: z.enum(['retry', 'refresh', 'never']),
});

/** Follows channels on one WebSocket. */
export async function followSocket({ target, trail, channels, leave, slowMs }: Visit): Promise<Ended> {
  const left = new Promise<Ended>((resolve) =>
    leave.addEventListener('abort', () => resolve('over'), { once: true }),
  );
  let refuse: (ended: Ended) => void = () => {};
  const isRefused = new Promise<Ended>((resolve) => {
    refuse = resolve;
  });
  const line = await Line.open(target, (envelope) => {
    if (leave.aborted || hear(trail, envelope)) return;
    const { data } = refused.safeParse(envelope);
    if (data !== undefined) refuse({ ...data, afterMs: 500 });
  });
  if (!(line instanceof Line)) return line.refusal ?? 'lost';
  for (const [at, channel] of channels.entries()) {
    const offset = trail.position(channel);
    line.send(JSON.stringify({ type: 'subscribe', id: at + 1, channel, offset }));
  }
  const closed = line.closed.then((): Ended => 'lost');
  if (slowMs > 0) void readSlowly(line, slowMs, leave);
  const ended = await Promise.race([left, closed, isRefused]);
  line.cut();
  return ended;
}

/** False for what says nothing of a channel. */
export function hear(trail: Trail, envelope: Envelope): boolean {
  const { data } = told.safeParse(envelope);
  if (data === undefined || !trail.channels.includes(data.channel)) return false;
  if (data.type === 'message') trail.received(data.channel, [data.data], data.offset);
  else if (data.type === 'gap') trail.missed(data.channel, data.offset);
  else trail.joined(data.channel, data.offset, data.resume);
  return true;
}

async function readSlowly(line: Line, slowMs: number, leave: AbortSignal): Promise<void> {
  while (line.isOpen && !leave.aborted) {
    line.pause();
    await pause(slowMs, leave);
    line.resume();
    await pause(slowMs / 4, leave);
  }
}
