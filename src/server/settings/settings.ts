import { faultsOf } from '../options/faults.js';
import type { EarshotOptions } from '../options/options.js';
import { OptionsError } from '../options/options.js';
import type { Setting } from './catalog.js';
import { leaves } from './catalog.js';
import { readEnvironment } from './environment.js';
import type { ConfigFile } from './file.js';
import { readConfig } from './file.js';
import type { TlsSettings } from './schema.js';
import { OWN_KEYS, settingsSchema } from './schema.js';
import { fromText, TextError } from './text.js';

/** What the command line gives, by the names of flags in camel case: texts, lists of them, or booleans. */
export type Flags = Readonly<Record<string, unknown>>;

/** Everything that `earshot serve` needs to know. */
export interface Settings {
  readonly listen: { readonly host: string; readonly port: number; readonly backlog?: number };
  /** Processes that serve. */
  readonly workers: number;
  /** Undefined for plain HTTP. */
  readonly tls: TlsSettings | undefined;
  readonly logLevel: string;
  readonly logFormat: 'auto' | 'json' | 'pretty';
  readonly allowPublicDev: boolean;
  /** As they were given, already checked one by one; not yet with each other. */
  readonly options: EarshotOptions;
  /** The folder that was said and is not used, since the store is another one. */
  readonly unusedData: { readonly path: string; readonly from: string } | undefined;
  /** Where each setting was said that was: `flag --port`, `env PORT`, `file earshot.config.json`. */
  readonly from: ReadonlyMap<string, string>;
}

type Values = Readonly<Record<string, unknown>>;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Flags over environment over file over defaults. Throws an OptionsError that names every fault, in one line. */
export async function settingsFrom(
  flags: Flags,
  env: NodeJS.ProcessEnv,
  cwd: string = process.cwd(),
): Promise<Settings> {
  const file = await readConfig(textOf(flags['config']) ?? env['EARSHOT_CONFIG'], cwd);
  const layers = new Layers(file);
  layers.environment(env);
  layers.flags(flags);
  const settings = layers.settings();
  if (settings.options.dev === true && !settings.allowPublicDev) checkDev(settings.listen.host, env);
  return settings;
}

/** `--limits-max-frame-bytes` → `limitsMaxFrameBytes`, as the parser of the command line calls it. */
export function attributeOf(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** What is said, the nearest last; what was wrong is gathered. */
class Layers {
  readonly #leaves = leaves();
  readonly #from = new Map<string, string>();
  readonly #file: string | undefined;
  readonly #faults: string[] = [];
  #values: Values;

  constructor({ values, from }: ConfigFile) {
    this.#values = values;
    this.#file = from;
    if (from === undefined) return;
    for (const { name, path } of this.#leaves) if (at(values, path) !== undefined) this.#from.set(name, from);
  }

  environment(env: NodeJS.ProcessEnv): void {
    const { said, faults } = readEnvironment(this.#leaves, env);
    this.#faults.push(...faults);
    for (const [setting, { text, from }] of said) this.#set(setting, from, () => fromText(setting, text));
  }

  flags(flags: Flags): void {
    for (const setting of this.#leaves) {
      if (setting.flag === undefined) continue;
      const said = setting.name === 'origins' ? originsOf(flags) : flags[attributeOf(setting.flag)];
      if (said === undefined) continue;
      const from = `flag ${said === false ? setting.flag.replace('--', '--no-') : setting.flag}`;
      this.#set(setting, from, () => (typeof said === 'string' ? fromText(setting, said) : said));
    }
  }

  settings(): Settings {
    const result = settingsSchema.safeParse(this.#values);
    if (!result.success) {
      const found = faultsOf(settingsSchema, result.error);
      this.#faults.push(...found.map(({ name, text }) => `${name}: ${text}${this.#source(name)}`));
    }
    if (!result.success || this.#faults.length > 0) throw new OptionsError(this.#faults.join('; '));
    const { host, port, backlog, workers, tls, logLevel, logFormat, allowPublicDev, dev } = result.data;
    const unusedData = this.#unusedData(result.data);
    const left = new Set([...OWN_KEYS, ...(unusedData ? ['data'] : [])]);
    if (unusedData) this.#from.set('data', `${unusedData.from}, not used`);
    return {
      listen: { host, port, ...(backlog !== undefined && { backlog }) },
      workers,
      tls,
      logLevel: logLevel ?? (dev ? 'warn' : 'info'),
      logFormat,
      allowPublicDev,
      options: Object.fromEntries(Object.entries(this.#values).filter(([key]) => !left.has(key))),
      unusedData,
      from: this.#from,
    };
  }

  #set({ name, path }: Setting, from: string, value: () => unknown): void {
    try {
      this.#values = withValue(this.#values, path, value());
      this.#from.set(name, from);
    } catch (error) {
      if (!(error instanceof TextError)) throw error;
      this.#faults.push(`${name}: ${error.message} (${from})`);
    }
  }

  /**
   * A variable may always be there, as an image has it, and a file may name what then is not used. A flag is meant, and so is what
   * a file says beside the store that it names: they stay, and are refused.
   */
  #unusedData({ store, data: path }: Pick<EarshotOptions, 'store' | 'data'>): Settings['unusedData'] {
    const from = this.#from.get('data');
    if (path === undefined || from === undefined || store === 'lmdb') return undefined;
    return from.startsWith('flag ') || from === this.#from.get('store') ? undefined : { path, from };
  }

  /** Where a fault was said; what has no name of its own can only be in the file. */
  #source(name: string): string {
    const from = this.#from.get(name) ?? this.#file;
    return from === undefined ? '' : ` (${from})`;
  }
}

/** `--origin` is another word for `--origins`. */
function originsOf({ origin, origins }: Flags): unknown {
  const said = [origin, origins].flatMap((each) => (Array.isArray(each) ? each : []));
  return said.length === 0 ? undefined : said;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** What stands there; undefined where nothing does. */
export function at(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((within, key) => (isRecord(within) ? within[key] : undefined), values);
}

/** A copy along the path; the rest, which may be code, is the same. */
function withValue(values: unknown, [key, ...rest]: readonly string[], value: unknown): Values {
  const own = isRecord(values) ? values : {};
  if (key === undefined) return own;
  return { ...own, [key]: rest.length === 0 ? value : withValue(own[key], rest, value) };
}

function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Open to anyone is for one's own machine. */
function checkDev(host: string, env: NodeJS.ProcessEnv): void {
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
