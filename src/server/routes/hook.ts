import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';

/**
 * A hook for every request: `work` gives a promise where there is something to wait for, and undefined where there is
 * nothing. Fastify takes several turns of the promises for each hook that is an async function.
 */
export function hook(
  work: (request: FastifyRequest, reply: FastifyReply) => Promise<void> | undefined,
): (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void {
  return (request, reply, done) => {
    let waiting: Promise<void> | undefined;
    try {
      waiting = work(request, reply);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (waiting === undefined) done();
    else waiting.then(() => done(), done);
  };
}
