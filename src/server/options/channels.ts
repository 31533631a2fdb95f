import * as z from 'zod';
import { ACTIONS, DEFAULT_ACTIONS } from '../../core/policy/action.js';
import { count, ms, perSecond } from './fields.js';

const actions = z.array(z.enum(ACTIONS));

/** A zod schema, in code; a JSON Schema, in a file. */
export type MessageSchema = z.ZodType | Readonly<Record<string, unknown>>;

const schema = z
  .custom<MessageSchema>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
    error: 'expected a schema of zod or a JSON Schema',
  })
  .optional()
  .meta({
    description:
      'what data must be that clients publish here: a zod schema in code, a JSON Schema (2020-12, or draft-07 where its $schema says so) in a file',
  });

/** Longer than that is a channel that lags. */
const MAX_FLUSH_MS = 1000;

export const rule = z.strictObject({
  anonymous: actions
    .default([])
    .describe(`what callers without a token may do, and everybody else too: ${ACTIONS.join(', ')}`),
  authenticated: actions
    .default([...DEFAULT_ACTIONS])
    .describe(
      'what callers with a token may do; one whose token has `channels` may do what that says instead. `manage`, to make a channel by PUT, to close and to delete it, is no default: a right to delete must be written down',
    ),
  presence: z.boolean().default(true).describe('false: nobody is told who is there'),
  create: z
    .enum(['command', 'publish', 'server'])
    .default('command')
    .describe(
      'what makes channels, besides app.earshot, the HTTP API of the operator, and a PUT of who may `manage`. command: a `publish` command too, while a POST to a stream that is not there is answered 404; publish: both; server: no publishing',
    ),
  retention: z
    .strictObject({
      messages: z.int().min(0).optional().describe('messages that a channel keeps'),
      ageMs: ms.optional().describe('how long it keeps them'),
      bytes: count.optional().describe('bytes that it keeps'),
    })
    .prefault({})
    .describe(
      'how long its log is kept; what is not said here is as in `retention`; a channel that is made by PUT is kept whole but for what is said here',
    ),
  maxMessageBytes: count
    .optional()
    .describe('bytes of the data of one message from a client; default: what a frame takes'),
  publishesPerSecond: perSecond
    .optional()
    .describe(
      'messages from one user, or from one address where anonymous, to one channel, in the long run; what two seconds bring may come at once',
    ),
  flushMs: z
    .int()
    .min(0)
    .max(MAX_FLUSH_MS)
    .default(0)
    .describe(
      'for how long messages gather before they leave for live readers in one write: 0 for what one turn of the event loop brings; longer, and a busy channel costs less, and each message may come so much later',
    ),
  schema,
});

export const channels = z
  .record(z.string(), rule)
  .optional()
  .describe(
    'who may do what on which channel, and what else holds there: a map from patterns (chat/*, docs/**, user/{sub}/**) to rules; the most specific pattern wins',
  );

/** One rule as it is given. */
export type ChannelRuleOptions = z.input<typeof rule>;
