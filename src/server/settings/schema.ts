import * as z from 'zod';
import { secretText } from '../options/fields.js';
import { optionsSchema } from '../options/options.js';
import { storeText } from '../options/store.js';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** More is more than one store can be asked by. */
const MAX_WORKERS = 64;

/** A path where both are needed. */
function pathBeside(other: string, meaning: string) {
  return z
    .string({
      error: ({ input }) =>
        input === undefined ? `missing: it is needed together with ${other}` : undefined,
    })
    .min(1)
    .describe(meaning);
}

const tls = z.strictObject({
  cert: pathBeside(
    'tls.key',
    'the path of the certificate, and after it of those between it and the root, in PEM; read again on SIGHUP',
  ),
  key: pathBeside('tls.cert', 'the path of its private key, in PEM'),
  passphrase: secretText('what that key is encrypted with').optional(),
});

/** Where the certificate is. */
export type TlsSettings = z.output<typeof tls>;

/** What only the command needs: how it listens and logs. */
const ownShape = {
  $schema: z.string().optional().describe('where an editor finds what may stand in the file'),
  host: z.string().min(1).default('127.0.0.1').describe('the address to listen on; 0.0.0.0 or :: is all'),
  port: z.int().min(0).max(65_535).default(8080).describe('the port to listen on; 0 takes a free one'),
  backlog: z
    .int()
    .min(1)
    .optional()
    .describe("connections that may wait to be accepted; default: Node's, 511"),
  workers: z
    .int()
    .min(1)
    .max(MAX_WORKERS)
    .default(1)
    .describe(
      'processes that serve, on this port and one store; with more than one, another one holds the store and serves nobody',
    ),
  tls: tls
    .optional()
    .describe('TLS, with HTTP/2 and HTTP/1.1 on the one port; without it there is plain HTTP/1.1'),
  logLevel: z
    .enum(LOG_LEVELS)
    .optional()
    .describe('how much is logged; default: warn in development, else info'),
  logFormat: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('how it is logged: JSON lines, or lines for people; auto: those where stdout is a terminal'),
  allowPublicDev: z
    .boolean()
    .default(false)
    .describe('development mode on a host that is not loopback, or where NODE_ENV is production'),
};

const pages = z
  .boolean()
  .default(true)
  .describe('whether the lobby page and the client are served; default of the plugin: false');

const store = storeText.default('lmdb').meta({
  address: true,
  description:
    'where messages are kept: `lmdb`, in a folder; `memory`, and gone with the process; or a Redis or Valkey that several nodes share, by its address, `redis://user:password@host:6379/0`. Default of the plugin: memory, and in code it may be a store that is handed in',
});

/** What `earshot serve` does, and the plugin does not, where nothing is said. */
export const SERVE_DEFAULTS = { pages: true, store: 'lmdb' } as const;

/** Everything that `earshot serve` can be told. Flags, names of variables, checks, help, docs and `$schema` come from it. */
export const settingsSchema = z.strictObject({ ...ownShape, ...optionsSchema.shape, store, pages });

/** The keys that are no options of the plugin. */
export const OWN_KEYS: readonly string[] = Object.keys(ownShape);

/** Of JSON Schema, what we read. `secret`, `address` and `inCode` are ours. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly secret?: boolean;
  /** May have a password in it. */
  readonly address?: boolean;
  readonly inCode?: boolean;
}

/** The settings as JSON Schema (2020-12), with our marks. */
export function markedSchema(): JsonSchema {
  const schema = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' });
  return JSON.parse(JSON.stringify(schema)); // as data: what zod keeps beside it is of no interest
}

/** What a file in JSON may hold, for `$schema`: without what only code can hand over. */
export function fileSchema(): JsonSchema {
  return strip(markedSchema());
}

function strip({ secret: _, inCode: __, address: ___, ...schema }: JsonSchema): JsonSchema {
  return {
    ...schema,
    ...(schema.properties && { properties: stripAll(schema.properties) }),
    ...(schema.items && { items: strip(schema.items) }),
    ...(schema.anyOf && { anyOf: schema.anyOf.map(strip) }),
    ...(typeof schema.additionalProperties === 'object' && {
      additionalProperties: strip(schema.additionalProperties),
    }),
  };
}

function stripAll(properties: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> {
  const kept = Object.entries(properties).filter(([, schema]) => !isInCode(schema));
  return Object.fromEntries(kept.map(([key, schema]) => [key, strip(schema)]));
}

function isInCode({ inCode, properties }: JsonSchema): boolean {
  return inCode === true || (properties !== undefined && Object.values(properties).every(isInCode));
}
