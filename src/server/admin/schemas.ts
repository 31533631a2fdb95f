import * as z from 'zod';
import { CHANNEL_RULE, isChannel, MAX_CHANNEL_LENGTH } from '../../protocol/channel.js';
import { ERRORS } from '../../protocol/codes.js';
import { producer } from '../../protocol/commands.js';
import { member, messageBody } from '../../protocol/replies.js';

const MAX_NAME_LENGTH = 128;
const MAX_ID_LENGTH = 256;
const MAX_PAGE = 1000;

const time = z.int().min(0);
const count = z.int().min(0);
const id = z.string().min(1).max(MAX_ID_LENGTH);

/** `data` must be there; what it is, is its publisher's affair. */
const data = z
  .unknown()
  .refine((value) => value !== undefined, { error: 'required' })
  .describe('any JSON');

const from = z
  .string()
  .min(1)
  .max(MAX_NAME_LENGTH)
  .regex(/^\P{Cc}+$/u, 'without control characters')
  .exactOptional()
  .describe('who it is said to come from; default: server');

export const channel = z
  .string()
  .min(1)
  .max(MAX_CHANNEL_LENGTH)
  .refine(isChannel, { error: CHANNEL_RULE, params: { code: 'bad_channel' } })
  .describe(`the name of a channel: ${CHANNEL_RULE}`);

export const offset = z.string().describe('an offset that this server gave out, "-1", or "now"');
export const user = id.describe('who a token says it is: its sub');
export const session = z.string().min(1).describe('the id of a session');

/** Which page of a list. */
export const page = {
  after: z.string().exactOptional().describe('`next` of the page before; default: from the beginning'),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100).describe('how many at most'),
};

const next = z
  .string()
  .nullable()
  .describe('what to give as `after` for the next page; null: this is the last');

const stats = z.strictObject({
  sessions: count,
  users: count.describe('users with a session'),
  subscriptions: count,
  channels: count.describe('channels that somebody is subscribed to'),
  queuedBytes: count.describe('bytes written to connections that have not left the process'),
  uptimeMs: count,
  draining: z.boolean(),
});

const channelInfo = z.strictObject({
  channel: z.string(),
  startOffset: z.string().describe('before the oldest message that is kept'),
  offset: z.string().describe('the tail'),
  contentType: z.string().describe('application/json, or the type of its bytes'),
  messages: count,
  bytes: count,
  lastAt: time.nullable().describe('when the last message came, in ms since 1970'),
  closed: z.boolean().describe('true where nothing will ever follow'),
  subscriptions: count.describe('on this node'),
  rule: z.string().describe('the pattern of the rule that holds here'),
});

const sessionInfo = z.strictObject({
  id: z.string(),
  user: z.string().nullable().describe('who the token says it is; null where anonymous'),
  name: z.string(),
  address: z.string(),
  transport: z.string(),
  beganAt: time.describe('in ms since 1970'),
  expiresAt: time.nullable().describe('when it ends unless the token is renewed, in ms since 1970'),
  channels: z.array(z.string()).describe('what it is subscribed to'),
});

const message = z.strictObject(messageBody);

const revoke = z
  .strictObject({
    user: user.exactOptional().describe('every token that this user was given until now'),
    tokenId: id.exactOptional().describe('the token with this jti'),
    until: time
      .exactOptional()
      .describe(
        'until when it is remembered, in ms since 1970: when the token expires. Default: as long as a node runs that has heard of it',
      ),
  })
  .refine(({ user, tokenId }) => (user === undefined) !== (tokenId === undefined), {
    error: 'either user or tokenId',
  })
  .meta({ oneOf: [{ required: ['user'] }, { required: ['tokenId'] }] });

const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS)).describe('the stable code of the error'),
    advice: z.enum(['retry', 'refresh', 'never']).describe('what to do about it'),
    details: z.array(z.string()).exactOptional().describe('one line per fault, with its path'),
  })
  .describe('what is wrong (RFC 9457)');

/** What has a name of its own in the document. */
export const named = {
  Stats: stats,
  Channel: channelInfo,
  Channels: z.strictObject({ channels: z.array(z.string()).describe('sorted by bytes'), next }),
  Closed: z.strictObject({ offset: z.string().describe('of the end') }),
  Publish: z.strictObject({
    channel,
    data,
    from,
    meta: z.record(z.string(), z.unknown()).exactOptional().describe('notes beside the data'),
    producer: producer.exactOptional().describe('names and numbers the message: repeated, it is stored once'),
  }),
  Published: z.strictObject({
    offset: z.string(),
    duplicate: z.boolean().describe('true where this number of the producer was stored before'),
  }),
  Message: message,
  History: z.strictObject({
    messages: z.array(message),
    offset: z.string().describe('the next to ask for'),
    upToDate: z.boolean().describe('true where nothing follows yet'),
  }),
  Member: member,
  Presence: z.strictObject({
    members: z.array(member).describe('on all nodes; at most 1,000'),
    count: count.describe('how many there are'),
  }),
  Session: sessionInfo,
  Sessions: z.strictObject({ sessions: z.array(sessionInfo), next }),
  Send: z.strictObject({ data, from }),
  Sent: z.strictObject({ sent: z.boolean().describe('false where it reads too slowly to take more') }),
  Revoke: revoke,
  Ended: z.strictObject({ ended: count.describe('how many sessions were ended on this node') }),
  EndedSubscriptions: z.strictObject({
    ended: count.describe('how many subscriptions were ended on this node'),
  }),
  Problem: problem,
};
