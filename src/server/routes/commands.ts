import type { FastifyInstance } from 'fastify';
import { splitJsonArray } from '../../protocol/json-text.js';
import { Refused } from '../../protocol/refused.js';
import type { Earshot } from '../earshot.js';
import { allowPage, preflight } from './cors.js';

const MAX_COMMANDS = 64;
const ARRAY_RULE = `the body is a JSON array of 1 to ${MAX_COMMANDS} commands`;

/**
 * `/v1/commands`: commands over plain HTTP, carried out one after the other and answered in their order. Each
 * fares by itself: the status is 200 where the request as a whole could be read.
 */
export async function commandsRoute(app: FastifyInstance, earshot: Earshot): Promise<void> {
  const { options, admission } = earshot;
  app.removeAllContentTypeParsers();
  // Not parsed as a whole: the data of each message is kept as the text it came in.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  );
  const bodyLimit = options.limits.maxFrameBytes * MAX_COMMANDS;
  app.post<{ Body: string | undefined }>('/v1/commands', { bodyLimit }, async (request, reply) => {
    allowPage(request, reply, options);
    const { raw, body } = request;
    const commands = splitJsonArray(body ?? '') ?? [];
    if (commands.length === 0 || commands.length > MAX_COMMANDS)
      throw new Refused('bad_envelope', ARRAY_RULE);
    const identity = await admission.admit(raw, new Set());
    const answers: string[] = [];
    for (const command of commands) answers.push(await earshot.request(identity, command));
    return reply.header('content-type', 'application/json').send(`[${answers.join(',')}]`);
  });
  preflight(app, '/v1/commands', options);
}
