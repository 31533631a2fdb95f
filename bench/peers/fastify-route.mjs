// A bare route of Fastify: parses JSON, keeps nothing, answers.
import { startPeer } from '../harness/peer.mjs';

export const title = 'Fastify, a bare route';
export const start = () => startPeer('fastify-route', 'http');

export async function serve() {
  const { default: fastify } = await import('fastify');
  const app = fastify();
  app.post('/publish', (request, reply) => reply.code(request.body === null ? 400 : 204).send());
  app.get('/messages', () => [{ user: 'ann', text: 'x'.repeat(100) }]);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}
