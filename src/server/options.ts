import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { DEFAULT_LIMITS } from '../core/limits.js';
import type { Policy } from '../core/policy.js';
import { isChannel } from '../protocol/channel.js';
import { DEFAULT_RETENTION } from '../store/memory.js';
import type { Store } from '../store/store.js';

const ms = z.int().min(1);
const count = z.int().min(1);
const channel = z.string().refine(isChannel, { error: 'not the name of a channel' });

/** A function or an object that code hands over: a file or a flag can't. */
function given<T>(kind: 'function' | 'object') {
  return z.custom<T>((value) => typeof value === kind && value !== null, { error: `expected a ${kind}` });
}

const limits = z.strictObject({
  maxFrameBytes: count
    .default(DEFAULT_LIMITS.maxFrameBytes)
    .describe('bytes of one frame that comes in (ws: maxPayload)'),
  maxFragments: count.default(64).describe('fragments that one message may come in'),
  maxDataDepth: count.default(DEFAULT_LIMITS.maxDataDepth).describe('levels that data may nest'),
  maxSubscriptions: count.default(DEFAULT_LIMITS.maxSubscriptions).describe('subscriptions of one session'),
  maxQueuedBytes: count
    .min(64 * 1024, 'at least 65536: what a socket queues by itself')
    .default(DEFAULT_LIMITS.maxQueuedBytes)
    .describe('bytes queued to one connection before its subscriptions fall back to catching up'),
  commandsPerSecond: z
    .number()
    .positive()
    .default(DEFAULT_LIMITS.commandsPerSecond)
    .describe('commands of one session, in the long run'),
  commandBurst: count
    .default(DEFAULT_LIMITS.commandBurst)
    .describe('commands of one session at once, after a quiet while'),
  historyPage: count
    .max(1000)
    .default(DEFAULT_LIMITS.historyPage)
    .describe('messages that one history gives'),
  maxSessions: count.default(50_000).describe('sessions on this node; one more is refused with 503'),
  maxSessionsPerAddress: count
    .optional()
    .describe(
      'sessions from one address; one more is refused with 429 (behind a proxy everyone is one address)',
    ),
  maxChannels: count.default(100_000).describe('channels in the memory store'),
  maxStoreBytes: count
    .default(256 * 1024 * 1024)
    .describe(
      'bytes of all channels in the memory store; where it is full, a channel gives up its own oldest messages',
    ),
});

const token = z.strictObject({
  secret: z
    .string()
    .min(1)
    .describe('the shared secret that tokens are signed with; one of fewer than 32 bytes is warned of'),
  algorithm: z
    .enum(['HS256', 'HS384', 'HS512'])
    .default('HS256')
    .describe('the one algorithm that is accepted'),
  cookie: z
    .string()
    .min(1)
    .optional()
    .describe('the name of a cookie that may carry the token; the Origin must then be on the list'),
  query: z
    .boolean()
    .default(false)
    .describe('whether ?token= may carry the token; it ends up in the logs of proxies'),
});

const retention = z.strictObject({
  messages: z.int().min(0).default(DEFAULT_RETENTION.messages).describe('messages that a channel keeps'),
  ageMs: ms.default(DEFAULT_RETENTION.ageMs).describe('how long it keeps them'),
  bytes: count.default(DEFAULT_RETENTION.bytes).describe('bytes that it keeps'),
});

const perMessageDeflate = z.strictObject({
  threshold: z.int().min(0).default(1024).describe('smaller messages are sent as they are, in bytes'),
  level: z.int().min(1).max(9).default(1).describe("zlib's level"),
});

/** What may be set, with every default. The one statement: types, checks, flags and the table in the docs come from it. */
export const optionsSchema = z.strictObject({
  dev: z
    .boolean()
    .default(false)
    .describe('development: no token is asked for and every channel is open to anyone'),
  prefix: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'begins with "/" and does not end with it')
    .default('')
    .describe('what every path begins with'),
  path: z
    .string()
    .regex(/^\/[A-Za-z0-9._~/-]*$/, 'begins with "/"')
    .default('/ws')
    .describe('the path of the WebSocket, below the prefix'),
  origins: z
    .array(z.string().min(1))
    .default(['same'])
    .describe(
      'the Origins that pages may connect from, exactly as browsers send them; "same" is the host of the request',
    ),
  token: token.optional().describe('how tokens are checked; without it nobody has one'),
  anonymous: z
    .boolean()
    .optional()
    .describe('whether callers without a token may connect; default: in development'),
  anonymousNames: z
    .enum(['address', 'random'])
    .optional()
    .describe(
      'what they are called: their address and port (default in development), or a short random name',
    ),
  plainChannel: z
    .union([channel, z.literal(false)])
    .optional()
    .describe(
      'the channel of clients that offer no subprotocol; false refuses them. Default: lobby in development, else false',
    ),
  policy: given<Policy>('object')
    .optional()
    .describe('who may do what on which channel; default: users anything, the anonymous nothing'),
  store: given<Store>('object').optional().describe('where logs live; default: in memory'),
  retention: retention.prefault({}).describe('how long a channel of the memory store is kept'),
  limits: limits.prefault({}).describe('every bound'),
  pingIntervalMs: ms.default(25_000).describe('between two pings of a connection'),
  pongTimeoutMs: ms.default(8000).describe('after a ping, until some byte must have come'),
  stallTimeoutMs: ms.default(120_000).describe('for a peer that reads nothing of what is queued'),
  closeTimeoutMs: ms.default(900).describe('until a close that the peer leaves unanswered is cut'),
  handshakeTimeoutMs: ms.default(10_000).describe('for the checks of one upgrade or request'),
  drainTimeoutMs: ms.default(30_000).describe('for the whole end of the server'),
  maxEventLoopDelayMs: ms.default(500).describe('p99 of the last second above which the server is not ready'),
  perMessageDeflate: z
    .union([z.boolean(), perMessageDeflate])
    .default(false)
    .describe('compression of what is sent: a message once for all its readers'),
  compress: z
    .array(z.string().min(1))
    .default(['**'])
    .describe('the channels whose messages it applies to: names, or patterns with * and **'),
  verifyClient: given<VerifyClient>('function')
    .optional()
    .describe('one more say on who may connect, after ours'),
  handleProtocols: given<HandleProtocols>('function')
    .optional()
    .describe('selects a subprotocol where none of ours was offered'),
  probes: z.boolean().default(true).describe('whether /livez, /readyz and /health are served'),
  metrics: z.boolean().default(true).describe('whether /metrics is served'),
  pages: z
    .boolean()
    .default(false)
    .describe('whether the lobby page and the client are served; `earshot serve` and createApp serve them'),
  decorateAs: z
    .string()
    .min(1)
    .default('earshot')
    .describe('the name of the decorator on the Fastify instance'),
});

/** What a hook is told of an upgrade, as ws tells it. */
export interface UpgradeInfo {
  readonly origin: string | undefined;
  readonly secure: boolean;
  readonly req: IncomingMessage;
}

/**
 * ws's hook, asked after origin, subprotocol, token and limits have passed: with one argument it returns the
 * verdict, or a promise of it; with two it calls back. A throw, and no answer in time, are refusals.
 */
export type VerifyClient =
  | ((info: UpgradeInfo) => boolean | Promise<boolean>)
  | ((info: UpgradeInfo, answer: (verified: boolean, status?: number, message?: string) => void) => void);

/**
 * ws's hook: one of the offered subprotocols, or a promise of it; what it selects is served as a plain client.
 * It is asked where ours is not offered. False, and what was not offered, refuse with 400.
 */
export type HandleProtocols = (
  offered: ReadonlySet<string>,
  request: IncomingMessage,
) => string | false | Promise<string | false>;

/** Options as they are given: what has a default may be left out. */
export type EarshotOptions = Omit<z.input<typeof optionsSchema>, 'prefix'> & { readonly prefix?: string };
/** Options as they are in force. */
export type ResolvedOptions = z.output<typeof optionsSchema> & {
  readonly anonymous: boolean;
  readonly anonymousNames: 'address' | 'random';
  readonly plainChannel: string | false;
};

/** An option that can't be: told in one line, without a stack. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
}

/** Checks options and fills in the defaults. Throws an OptionsError that names the option. */
export function resolveOptions(given: EarshotOptions): ResolvedOptions {
  const result = optionsSchema.safeParse(given);
  if (!result.success) throw new OptionsError(result.error.issues.map(describe).join('; '));
  const options = result.data;
  const anonymous = options.anonymous ?? options.dev;
  if (options.token === undefined && !anonymous) {
    throw new OptionsError(
      'nobody could connect: set a token secret, admit the anonymous, or use development mode (--dev)',
    );
  }
  return {
    ...options,
    anonymous,
    anonymousNames: options.anonymousNames ?? (options.dev ? 'address' : 'random'),
    plainChannel: options.plainChannel ?? (options.dev ? 'lobby' : false),
  };
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.') || 'options';
  if (issue.code === 'unrecognized_keys') return `${path}: unknown option ${issue.keys.join(', ')}`;
  return `${path}: ${issue.message}`;
}
