import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../report/metrics.js';

/** `/metrics` in the text format of Prometheus. */
export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', { logLevel: 'silent' }, async (_request, reply) => {
    return reply.header('content-type', metrics.registry.contentType).send(await metrics.text());
  });
}
