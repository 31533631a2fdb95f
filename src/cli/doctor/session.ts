import * as z from 'zod';
import type { Answer, ProblemDocument } from './ask.js';
import { ask, failed, parsed, problemOf, stranger } from './ask.js';
import type { Check, Finding, Fix } from './finding.js';
import { fail, ok } from './finding.js';
import { originFix } from './fixes.js';
import type { Target } from './target.js';

export const sessionAnswer = z.object({
  user: z.string().nullable(),
  name: z.string(),
  expiresAt: z.number().nullable(),
  protocol: z.string(),
});
type SessionAnswer = z.infer<typeof sessionAnswer>;

/** Who does the server take us to be, or why does it refuse? */
export async function session(target: Target): Promise<Finding> {
  try {
    const answer = await ask(target, '/v1/session');
    const problem = problemOf(answer);
    if (problem !== undefined) return refusal('session', answer.status, problem, target);
    const us = answer.status === 200 ? parsed(sessionAnswer, answer.body) : undefined;
    return us === undefined
      ? stranger('session', answer)
      : (unreadable(answer, target) ?? ok('session', whoIs(us)));
  } catch (error) {
    return failed('session', error);
  }
}

/** A refusal in the words of its problem document. */
export function refusal(
  check: Check,
  status: number,
  { code, advice, detail }: ProblemDocument,
  target: Target,
): Finding {
  return fail(check, `refused with ${status} ${code} (${advice}): ${detail}`, fixOf(code, target));
}

function fixOf(code: string, { token, origin }: Target): Fix | undefined {
  if (code === 'unauthenticated') {
    return {
      you:
        token === undefined
          ? 'give a token: --token-file, or EARSHOT_TOKEN'
          : 'give a token that is good now',
    };
  }
  if (code === 'forbidden' && origin !== undefined) return originFix(origin);
  return undefined;
}

/** A page of another origin may read the answer only where this header names it, and it alone. */
function unreadable({ headers }: Answer, { base, origin }: Target): Finding | undefined {
  if (origin === undefined || origin === new URL(base).origin) return undefined;
  const allowed = headers['access-control-allow-origin'];
  if (allowed === origin) return undefined;
  const seen = `pages of ${origin} can't read the answer: Access-Control-Allow-Origin is ${allowed ?? 'missing'}`;
  return fail('session', seen, {
    nginx:
      '# Earshot sends it: take out what hides or repeats it\n# add_header Access-Control-Allow-Origin …;\n# proxy_hide_header Access-Control-Allow-Origin;',
    Caddy: '# Earshot sends it: take out what changes it\n# header Access-Control-Allow-Origin …',
  });
}

function whoIs({ user, name, expiresAt }: SessionAnswer): string {
  if (user === null) return `we are anonymous, called ${name}`;
  return `we are the user ${user}, called ${name}${until(expiresAt)}`;
}

function until(expiresAt: number | null): string {
  const date = new Date(expiresAt ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? '' : `, until ${date.toISOString()}`;
}
