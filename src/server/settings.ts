import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { EarshotOptions } from './options/options.js';
import { OptionsError } from './options/options.js';

/** What the command line gives; undefined where it says nothing. */
export interface Flags {
  readonly dev?: boolean;
  readonly allowPublicDev?: boolean;
  readonly host?: string;
  readonly port?: string;
  readonly backlog?: string;
  readonly config?: string;
  readonly prefix?: string;
  readonly path?: string;
  readonly origin?: readonly string[];
  readonly anonymous?: boolean;
  readonly plainChannel?: string;
  readonly logLevel?: string;
}

/** Everything that `earshot serve` needs to know. */
export interface Settings {
  readonly listen: { readonly host: string; readonly port: number; readonly backlog?: number };
  readonly logLevel: string;
  readonly options: EarshotOptions;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

const listenSchema = z.object({
  host: z.string().min(1).default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(8080),
  backlog: z.coerce.number().int().min(1).optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
});

/** Flags over environment over file over defaults. Throws an OptionsError in one line. */
export function settingsFrom(flags: Flags, env: NodeJS.ProcessEnv): Settings {
  const { host, port, backlog, logLevel, ...fromFile } = readConfig(flags.config ?? env['EARSHOT_CONFIG']);
  const listen = parseListen({
    host: flags.host ?? env['HOST'] ?? host,
    port: flags.port ?? env['PORT'] ?? port,
    backlog: flags.backlog ?? backlog,
    logLevel: flags.logLevel ?? env['LOG_LEVEL'] ?? logLevel,
  });
  checkStore(env['EARSHOT_STORE']);
  const options = { ...fromFile, ...fromEnv(env, fromFile), ...fromFlags(flags) };
  if (options.dev === true) checkDev(listen.host, env, flags.allowPublicDev === true);
  return {
    listen: { host: listen.host, port: listen.port, ...(listen.backlog && { backlog: listen.backlog }) },
    logLevel: listen.logLevel ?? (options.dev === true ? 'warn' : 'info'),
    options,
  };
}

interface ConfigFile extends EarshotOptions {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly backlog?: unknown;
  readonly logLevel?: unknown;
}

/** The file's keys are checked with all the others, when the options are resolved. */
function readConfig(file: string | undefined): ConfigFile {
  if (file === undefined || file === '') return {};
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch (error) {
    throw new OptionsError(`the configuration file ${file} can't be read: ${String(error)}`);
  }
  throw new OptionsError(`the configuration file ${file} is not a JSON object`);
}

function parseListen(given: Record<string, unknown>): z.output<typeof listenSchema> {
  const set = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = listenSchema.safeParse(set);
  if (result.success) return result.data;
  throw new OptionsError(
    result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  );
}

function fromEnv(env: NodeJS.ProcessEnv, file: EarshotOptions): EarshotOptions {
  const secret = env['EARSHOT_TOKEN_SECRET'];
  const origins = env['EARSHOT_ORIGINS'];
  return {
    ...(secret && { token: { ...file.token, secret } }),
    ...(origins && { origins: origins.split(',').map((origin) => origin.trim()) }),
  };
}

function fromFlags({ dev, prefix, path, origin, anonymous, plainChannel }: Flags): EarshotOptions {
  return {
    ...(dev !== undefined && { dev }),
    ...(prefix !== undefined && { prefix }),
    ...(path !== undefined && { path }),
    ...(origin !== undefined && { origins: [...origin] }),
    ...(anonymous !== undefined && { anonymous }),
    ...(plainChannel !== undefined && { plainChannel }),
  };
}

function checkStore(store: string | undefined): void {
  if (store === undefined || store === '' || store === 'memory') return;
  throw new OptionsError(`EARSHOT_STORE is "${store}": the one store of this version is "memory"`);
}

/** Open to anyone is for one's own machine. */
function checkDev(host: string, env: NodeJS.ProcessEnv, allowed: boolean): void {
  if (allowed) return;
  if (!LOOPBACK.test(host)) {
    throw new OptionsError(
      `development mode is open to anyone and ${host} is not loopback: add --allow-public-dev to mean it`,
    );
  }
  if (env['NODE_ENV'] === 'production') {
    throw new OptionsError(
      'development mode is open to anyone and NODE_ENV is production: add --allow-public-dev to mean it',
    );
  }
}
