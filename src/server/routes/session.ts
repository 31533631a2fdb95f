import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toldLimits } from '../../core/limits.js';
import { Refused } from '../../protocol/refused.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import { eventText } from '../../transport/http/event.js';
import type { Earshot } from '../earshot.js';
import { sendHead } from '../streams/live.js';
import { allowPage, preflight } from './cors.js';
import type { HeldAnswers } from './held-answers.js';

const DEFAULT_SILENT_MS = 1000;
const MAX_SILENT_MS = 120_000;

/**
 * `/v1/session`: who the server takes the caller to be, or why it refuses. A browser is told only 1006 for
 * an upgrade that was refused; here it gets the reason. As a stream of events it shows what stands between:
 * the answer comes at once where nothing buffers it, and the end where nothing cuts the silence before it.
 */
export function sessionRoute(app: FastifyInstance, { admission, options, heldAnswers }: Earshot): void {
  app.get('/v1/session', async (request, reply) => {
    allowPage(request, reply, options);
    const { user, name, expiresAt } = await admission.admit(request.raw, new Set());
    const answer = { user, name, expiresAt, protocol: SUBPROTOCOL, limits: toldLimits(options.limits) };
    if (asksForEvents(request)) return stream(heldAnswers, request, reply, answer);
    return reply.header('cache-control', 'no-store').send(answer);
  });
  preflight(app, '/v1/session', options);
}

function asksForEvents({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' && /\btext\/event-stream\b/i.test(headers.accept ?? '');
}

function stream(
  held: HeldAnswers,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: object,
): FastifyReply {
  const silentMs = silentMsOf(request);
  if (held.full) throw new Refused('too_many', 'there are too many of these streams');
  sendHead(reply, {});
  held.hold(request.raw, reply.raw, eventText({ event: 'session', data: JSON.stringify(answer) }), silentMs);
  return reply;
}

/** Throws `bad_envelope` for what is no number of ms within the bounds. */
function silentMsOf({ url }: FastifyRequest): number {
  const [given = String(DEFAULT_SILENT_MS), ...more] = new URLSearchParams(url.split('?')[1]).getAll(
    'silentMs',
  );
  if (more.length === 0 && /^\d{1,6}$/.test(given) && Number(given) <= MAX_SILENT_MS) return Number(given);
  throw new Refused('bad_envelope', `silentMs is a number of milliseconds, 0 to ${MAX_SILENT_MS}`);
}
