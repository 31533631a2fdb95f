import * as z from 'zod';
import type { Bus } from '../../core/neighbours/bus.js';
import { PATTERN_RULE, parsePattern } from '../../core/policy/pattern.js';
import { isRedisAddress } from '../../store/redis/link/address.js';
import { DEFAULT_RETENTION } from '../../store/retention.js';
import type { Store } from '../../store/store.js';
import { channels } from './channels.js';
import { faultsOf } from './faults.js';
import { channel, count, given, ms, perSecond, secretText } from './fields.js';
import type { HandleProtocols, VerifyClient } from './hooks.js';
import { hooks } from './hooks.js';
import { limits } from './limits.js';
import { storeText } from './store.js';
import { token } from './token.js';

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
  channels,
  hooks: hooks.prefault({}).describe('code of yours that has a say'),
  hookTimeoutMs: ms.default(5000).describe('for one call of a hook; later is refused with `unavailable`'),
  admin: z
    .strictObject({
      key: secretText('the key of the operator, sent as `Authorization: Bearer`').min(
        16,
        'at least 16 characters',
      ),
    })
    .optional()
    .describe('the HTTP API of the operator under /v1/admin/, and /openapi.json; without it there is none'),
  trustProxy: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'the addresses of proxies whose X-Forwarded-For is believed: addresses, networks (10.0.0.0/8), loopback, linklocal, uniquelocal',
    ),
  store: z
    .union([
      storeText,
      given<Store>('object', 'a store of your own, which keeps to its own retention, and is yours to end'),
    ])
    .default('memory')
    .describe(
      'where messages are kept: `memory`, and gone with the process; `lmdb`, in a folder; or a Redis or Valkey that several nodes share, by its address, `redis://user:password@host:6379/0`. In code also a store that is handed in, which keeps to its own retention',
    ),
  bus: given<Bus>(
    'object',
    'where this node and others of the same store hear of each other: presence and orders are those of all nodes. Default: with a store in Redis, that Redis',
  ),
  data: z
    .string()
    .min(1)
    .optional()
    .describe(
      'the folder of the lmdb store, made where it is not there; no other store has one. Default: earshot-data, in development .earshot, in the working directory',
    ),
  fsync: z
    .boolean()
    .optional()
    .describe(
      'lmdb: a publish is answered when the disk has it, and survives the loss of power; else, as by default, when the operating system has it, and survives the end of the process',
    ),
  retention: retention.prefault({}).describe('how long a channel is kept'),
  limits: limits.prefault({}).describe('every bound'),
  pingIntervalMs: ms.default(25_000).describe('between two pings of a connection'),
  pongTimeoutMs: ms.default(8000).describe('after a ping, until some byte must have come'),
  stallTimeoutMs: ms.default(120_000).describe('for a peer that reads nothing of what is queued'),
  closeTimeoutMs: ms.default(900).describe('until a close that the peer leaves unanswered is cut'),
  handshakeTimeoutMs: ms.default(10_000).describe('for the checks of one upgrade or request'),
  longPollTimeoutMs: ms.default(30_000).describe('for how long a long-poll waits at most'),
  eventStreamMaxMs: ms
    .default(600_000)
    .describe('how long a response of Server-Sent Events lasts; ended at random between 80 and 100 % of it'),
  drainDelayMs: z
    .int()
    .min(0)
    .default(0)
    .describe('before the end begins: not ready any more, but serving, until proxies have noticed'),
  drainTimeoutMs: ms.default(30_000).describe('for the whole end of the server, the delay included'),
  reconnectsPerSecond: perSecond
    .default(200)
    .describe('sessions that are told to come back, per second of a drain'),
  maxEventLoopDelayMs: ms.default(500).describe('p99 of the last second above which the server is not ready'),
  perMessageDeflate: z
    .union([z.boolean(), perMessageDeflate])
    .default(false)
    .describe('compression of what is sent: a message once for all its readers'),
  compress: z
    .array(z.string().refine((text) => parsePattern(text) !== undefined, { error: PATTERN_RULE }))
    .default(['**'])
    .describe('the channels whose messages it applies to: names, or patterns with * and **'),
  accelerate: z
    .boolean()
    .default(false)
    .describe(
      'hands a message to its WebSockets through a native add-on, which must have been built when Earshot was installed',
    ),
  verifyClient: given<VerifyClient>('function', 'one more say on who may connect, after ours'),
  handleProtocols: given<HandleProtocols>('function', 'selects a subprotocol where none of ours was offered'),
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

/** Options as they are given: what has a default may be left out. */
export type EarshotOptions = Omit<z.input<typeof optionsSchema>, 'prefix'> & { readonly prefix?: string };
/** Options as they are in force. */
export type ResolvedOptions = z.output<typeof optionsSchema> & {
  readonly anonymous: boolean;
  readonly anonymousNames: 'address' | 'random';
  readonly plainChannel: string | false;
};

/** True for the address of a store in Redis, which every process connects to by itself. */
export function isInRedis(store: EarshotOptions['store']): store is string {
  return typeof store === 'string' && isRedisAddress(store);
}

/** An option that can't be: told in one line, without a stack. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
}

/** Checks options and fills in the defaults. Throws an OptionsError that names the option. */
export function resolveOptions(given: EarshotOptions): ResolvedOptions {
  const result = optionsSchema.safeParse(given);
  if (!result.success) {
    const faults = faultsOf(optionsSchema, result.error).map(({ name, text }) => `${name}: ${text}`);
    throw new OptionsError(faults.join('; '));
  }
  const options = result.data;
  if (options.drainDelayMs >= options.drainTimeoutMs) {
    throw new OptionsError('drainDelayMs: must be less than drainTimeoutMs, of which it is a part');
  }
  for (const name of ['data', 'fsync'] as const)
    if (options.store !== 'lmdb' && options[name] !== undefined)
      throw new OptionsError(`${name}: is of the store lmdb, and store is not that`);
  if (isInRedis(options.store) && options.limits.maxStoreBytes !== undefined)
    throw new OptionsError('limits.maxStoreBytes: is not of a store in Redis, whose own maxmemory it is');
  const anonymous = options.anonymous ?? options.dev;
  if (options.token === undefined && options.hooks.onConnect === undefined && !anonymous) {
    throw new OptionsError(
      'nobody could connect: set a token secret or key, admit the anonymous, or use development mode (--dev)',
    );
  }
  return {
    ...options,
    anonymous,
    anonymousNames: options.anonymousNames ?? (options.dev ? 'address' : 'random'),
    plainChannel: options.plainChannel ?? (options.dev ? 'lobby' : false),
  };
}
