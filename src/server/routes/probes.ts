import type { FastifyInstance } from 'fastify';
import type { Earshot } from '../earshot.js';

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
    draining: earshot.draining ? 'draining' : 'ok',
    store: await storeAnswers(earshot),
    eventLoop: late ? 'late' : 'ok',
  };
}

async function storeAnswers({ store }: Earshot): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('does not answer'), STORE_ANSWERS_MS);
  });
  const answer = store.ping().then(
    () => 'ok',
    () => 'failing', // why is in the log of the store; a probe is open to anyone
  );
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
