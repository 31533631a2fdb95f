import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identity } from '../../core/policy/policy.js';
import { errorPush } from '../../protocol/encode.js';
import { splitJsonArray } from '../../protocol/json-text.js';
import { Refused } from '../../protocol/refused.js';
import type { Earshot } from '../earshot.js';
import { allowPage, preflight } from './cors.js';

const MAX_COMMANDS = 64;
const MAX_ANSWER_LENGTH = 1024 * 1024;
const ARRAY_RULE = `the body is a JSON array of 1 to ${MAX_COMMANDS} commands`;

/**
 * `/v1/commands`: commands over plain HTTP, carried out one after the other and answered in their order. Each
 * fares by itself: the status is 200 where the request as a whole could be read.
 */
export async function commandsRoute(app: FastifyInstance, earshot: Earshot): Promise<void> {
  const { options, admission } = earshot;
  const callers = new WeakMap<FastifyRequest, Identity>();
  const maxBodyBytes = options.limits.maxFrameBytes * MAX_COMMANDS;
  app.removeAllContentTypeParsers();
  // Not parsed as a whole: the data of each message is kept as the text it came in.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  );
  app.post<{ Body: string | undefined }>('/v1/commands', {
    bodyLimit: maxBodyBytes,
    onRequest: async (request, reply) => {
      allowPage(request, reply, options);
      callers.set(request, await admission.admit(request.raw, new Set())); // before its body is read
      earshot.bodies.keepRoom(request, reply, maxBodyBytes);
    },
    handler: async (request, reply) => {
      const commands = splitJsonArray(request.body ?? '', MAX_COMMANDS) ?? [];
      if (commands.length === 0 || commands.length > MAX_COMMANDS)
        throw new Refused('bad_envelope', ARRAY_RULE);
      const caller = callers.get(request);
      if (caller === undefined) throw new Error('a request was let in that nobody was admitted on');
      const answers = await answer(earshot, caller, admission.addressOf(request.raw), commands);
      return reply.header('content-type', 'application/json').send(`[${answers.join(',')}]`);
    },
  });
  preflight(app, '/v1/commands', options);
}

/** One after the other, and no more than a caller can be expected to take in one answer. */
async function answer(
  earshot: Earshot,
  caller: Identity,
  address: string,
  commands: string[],
): Promise<string[]> {
  const answers: string[] = [];
  let length = 0;
  for (const command of commands) {
    const text =
      length > MAX_ANSWER_LENGTH
        ? JSON.stringify(errorPush('too_large', 'the answers together are too long: ask for the rest again'))
        : await earshot.request(caller, address, command);
    length += text.length;
    answers.push(text);
  }
  return answers;
}
