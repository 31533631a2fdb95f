import * as z from 'zod';
import type { Answer } from './ask.js';
import { ask, failed, parsed, problemOf, stranger } from './ask.js';
import type { Finding } from './finding.js';
import { ok, warn } from './finding.js';
import { sessionAnswer } from './session.js';
import type { Target } from './target.js';

const readyAnswer = z.object({ status: z.string(), checks: z.record(z.string(), z.string()) });
const liveAnswer = z.object({ status: z.literal('ok') });

/** Does Earshot answer there, or who does? */
export async function reach(target: Target): Promise<Finding> {
  try {
    const ready = await ask(target, '/readyz');
    return (
      readiness(ready) ?? (await liveness(target)) ?? (await identity(target)) ?? stranger('reach', ready)
    );
  } catch (error) {
    return failed('reach', error);
  }
}

function readiness({ status, body }: Answer): Finding | undefined {
  const answer = parsed(readyAnswer, body);
  if (answer === undefined) return undefined;
  if (status === 200) return ok('reach', 'Earshot answers /readyz, and is ready');
  const unready = Object.entries(answer.checks).filter(([, state]) => state !== 'ok');
  const why = unready.map(([check, state]) => `${check}: ${state}`).join(', ');
  return warn('reach', `Earshot answers /readyz with ${status}, it is not ready: ${why}`);
}

async function liveness(target: Target): Promise<Finding | undefined> {
  const { status, body } = await ask(target, '/livez');
  const lives = status === 200 && parsed(liveAnswer, body) !== undefined;
  return lives ? ok('reach', 'Earshot answers /livez; /readyz is not served here') : undefined;
}

/** The probes may be kept from the outside, or not be served at all. */
async function identity(target: Target): Promise<Finding | undefined> {
  const answer = await ask(target, '/v1/session');
  const code = problemOf(answer)?.code;
  const isOurs = code === undefined ? parsed(sessionAnswer, answer.body) !== undefined : code !== 'not_found';
  return isOurs ? warn('reach', 'Earshot answers /v1/session; its probes are not served here') : undefined;
}
