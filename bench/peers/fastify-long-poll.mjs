// Long-polling, naive: a route of Fastify that keeps the replies in a list, and answers all of them with a message.
import { startPeer } from '../harness/peer.mjs';

export const title = 'Fastify, a list of replies that wait';
export const start = () => startPeer('fastify-long-poll', 'http');

export async function serve() {
  const { default: fastify } = await import('fastify');
  const app = fastify();
  let waiting = [];
  app.get('/messages', (_request, reply) => {
    waiting.push(reply);
  });
  app.post('/publish', (request, reply) => {
    const replies = waiting;
    waiting = [];
    for (const each of replies) each.send([request.body]);
    return reply.code(204).send();
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}
