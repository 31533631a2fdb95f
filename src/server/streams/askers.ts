import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Asker } from '../../core/commands/context.js';
import type { EarshotNode } from '../../core/node.js';
import type { Identity } from '../../core/policy/policy.js';
import type { Earshot } from '../earshot.js';
import { isGone } from '../http/response.js';
import { allowPage } from '../routes/cors.js';
import { hook } from '../routes/hook.js';

/** Requests have no subprotocols. */
const NOTHING_OFFERED: ReadonlySet<string> = new Set();

/** Who was let in on a request. */
export interface Admitted extends Asker {
  readonly address: string;
}

/** Admits every request of a scope before its body is read. Gives the way to ask who it was. */
export function admitAll(
  scope: FastifyInstance,
  { admission, options, node }: Earshot,
): (request: FastifyRequest) => Admitted {
  const admitted = new WeakMap<FastifyRequest, Admitted>();
  const remember = (request: FastifyRequest, identity: Identity): undefined => {
    admitted.set(request, asker(node, identity, admission.addressOf(request.raw)));
  };
  scope.addHook(
    'onRequest',
    hook((request, reply) => {
      reply.header('x-content-type-options', 'nosniff');
      reply.header('cross-origin-resource-policy', 'same-origin');
      allowPage(request, reply, options);
      if (request.method === 'OPTIONS') return undefined;
      const identity = admission.admit(request.raw, NOTHING_OFFERED);
      if (identity instanceof Promise) return identity.then((found) => remember(request, found));
      return remember(request, identity);
    }),
  );
  scope.addHook('onSend', (_request, reply, payload, done) => {
    cutStalled(reply.raw, options.stallTimeoutMs);
    done(null, payload);
  });
  return (request) => {
    const found = admitted.get(request);
    if (found === undefined) throw new Error('a request was let in that nobody was admitted on');
    return found;
  };
}

/** Who doesn't take its answer is not waited for without end. */
function cutStalled(response: ServerResponse, timeoutMs: number): void {
  if (isGone(response)) return; // over HTTP/2 it has no socket any more then
  const { socket } = response; // none while others on its connection come first; injected requests have one without time
  if (socket === null || 'setTimeout' in socket) response.setTimeout(timeoutMs);
}

function asker({ telemetry, journal }: EarshotNode, identity: Identity, address: string): Admitted {
  return { identity, telemetry, journal, address, actor: { caller: identity, session: undefined, address } };
}
