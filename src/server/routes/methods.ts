import type { FastifyInstance, HTTPMethods } from 'fastify';
import { problem } from '../http/problem.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly HTTPMethods[];

/** The other methods of a path are refused, with those that there are (RFC 9110 §15.5.6). */
export function refuseOtherMethods(
  scope: FastifyInstance,
  url: string,
  served: readonly HTTPMethods[],
): void {
  const others = METHODS.filter((method) => !served.includes(method));
  const { status, headers, body } = problem('method_not_allowed', 'the method is not served here', {
    allow: [...served, 'OPTIONS'].join(', '),
  });
  scope.route({
    method: others,
    url,
    exposeHeadRoute: false,
    handler: (_request, reply) => reply.code(status).headers(headers).send(body),
  });
}
