import type { FastifyInstance } from 'fastify';
import { Refused } from '../../protocol/refused.js';
import type { Earshot } from '../earshot.js';
import { within } from '../within.js';

const STORE_ANSWERS_MS = 1000;

/** `/livez`: the process turns. `/readyz`: it should be sent work. `/health` is `/readyz` as Docker's users call it. */
export function probeRoutes(app: FastifyInstance, earshot: Earshot): void {
  const quiet = { logLevel: 'silent' } as const;
  app.get('/livez', quiet, async (_request, reply) => {
    return reply.header('cache-control', 'no-store').send({ status: 'ok' });
  });
  for (const path of ['/readyz', '/health']) {
    app.get(path, quiet, async (_request, reply) => {
      const checks = await readiness(earshot);
      const ready = Object.values(checks).every((check) => check === 'ok');
      reply.code(ready ? 200 : 503).header('cache-control', 'no-store');
      return { status: ready ? 'ok' : 'not ready', checks };
    });
  }
}

async function readiness(earshot: Earshot): Promise<Record<string, string>> {
  const late = earshot.eventLoopDelay.p99 * 1000 > earshot.options.maxEventLoopDelayMs;
  return {
    draining: earshot.leaving ? 'draining' : 'ok',
    store: await storeAnswers(earshot),
    eventLoop: late ? 'late' : 'ok',
  };
}

async function storeAnswers({ store }: Earshot): Promise<string> {
  const late = () => new Refused('unavailable', 'does not answer');
  return within(STORE_ANSWERS_MS, store.ping(), late).then(
    () => 'ok',
    (error) => (error instanceof Refused ? error.message : 'failing'), // a probe is open to anyone: no more than that
  );
}
