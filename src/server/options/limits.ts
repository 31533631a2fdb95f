import * as z from 'zod';
import { DEFAULT_LIMITS } from '../../core/limits.js';
import { count, perSecond } from './fields.js';

/** What several sessions may do together. Nothing is bounded that isn't set. */
function sharedLimits(whose: string) {
  return {
    maxSessions: count.optional().describe(`sessions ${whose}; one more is refused with 429`),
    maxSubscriptions: count.optional().describe(`subscriptions of all sessions ${whose}`),
    commandsPerSecond: perSecond
      .optional()
      .describe(`commands ${whose}, in the long run; what two seconds bring may come at once`),
    publishesPerSecond: perSecond.optional().describe(`publishes ${whose}, likewise`),
    bytesPerSecond: perSecond.optional().describe(`bytes of commands ${whose}, likewise`),
  };
}

export const limits = z.strictObject({
  maxFrameBytes: count
    .default(DEFAULT_LIMITS.maxFrameBytes)
    .describe('bytes of one frame that comes in (ws: maxPayload)'),
  maxBodyBytes: count
    .default(10 * 1024 * 1024)
    .describe('bytes of the body of one request under /v1/stream/'),
  maxBodiesBytes: count
    .default(256 * 1024 * 1024)
    .describe(
      'bytes of all bodies under /v1/stream/ that are under way at a time; one more is refused with 503',
    ),
  maxFragments: count.default(64).describe('fragments that one message may come in'),
  maxDataDepth: count.default(DEFAULT_LIMITS.maxDataDepth).describe('levels that data may nest'),
  maxSubscriptions: count.default(DEFAULT_LIMITS.maxSubscriptions).describe('subscriptions of one session'),
  maxQueuedBytes: count
    .min(64 * 1024, 'at least 65536: what a socket queues by itself')
    .default(DEFAULT_LIMITS.maxQueuedBytes)
    .describe('bytes queued to one connection before its subscriptions fall back to catching up'),
  commandsPerSecond: perSecond
    .default(DEFAULT_LIMITS.commandsPerSecond)
    .describe('commands of one session, in the long run'),
  commandBurst: count
    .default(DEFAULT_LIMITS.commandBurst)
    .describe('commands of one session at once, after a quiet while'),
  publishesPerSecond: perSecond
    .optional()
    .describe('publishes of one session, in the long run; what two seconds bring may come at once'),
  bytesPerSecond: perSecond.optional().describe('bytes of commands of one session, likewise'),
  historyPage: count
    .max(1000)
    .default(DEFAULT_LIMITS.historyPage)
    .describe('messages that one history gives'),
  maxSessions: count.default(50_000).describe('sessions on this node; one more is refused with 503'),
  maxChannels: count.default(100_000).describe('channels in the store'),
  maxStoreBytes: count
    .optional()
    .describe(
      'bytes of all channels in the store; where it is full, a channel gives up its own oldest messages. Default: 256 MiB in memory, 16 GiB in lmdb',
    ),
  perUser: z
    .strictObject(sharedLimits('of one user'))
    .prefault({})
    .describe('what all sessions and requests of one user may do together'),
  perAddress: z
    .strictObject({
      ...sharedLimits('from one address'),
      connectsPerSecond: perSecond
        .optional()
        .describe('upgrades and requests from one address, those that are refused too; likewise'),
    })
    .prefault({})
    .describe(
      'what all from one address (of IPv6: one /64) may do together; behind a proxy everyone is one address, unless trustProxy names it',
    ),
});
