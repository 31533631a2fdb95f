import type { JsonSchema } from './schema.js';
import { markedSchema } from './schema.js';

/**
 * How a setting is said in text. `texts`: one or several · `json`: an object or a list of them · `code`: not at all.
 * A `group` is nothing but what is in it, and an `inner` is part of a `json`.
 */
export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'texts' | 'json' | 'code' | 'group' | 'inner';

/** One setting, or a group of them. */
export interface Setting {
  /** Whole, as `limits.maxFrameBytes`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly kind: Kind;
  /** As `--limits-max-frame-bytes`; none for secrets, objects and what is in code. */
  readonly flag: string | undefined;
  /** The variables that say it, the one that wins first; each also as `<name>_FILE` where it begins with EARSHOT_. */
  readonly variables: readonly string[];
  /** True where a text may also be `false`. */
  readonly canBeOff: boolean;
  readonly choices: readonly string[] | undefined;
  readonly isRequired: boolean;
  readonly schema: JsonSchema;
  readonly meaning: string;
}

/** Names that the world has for these. */
const COMMON_VARIABLES: Readonly<Record<string, string>> = {
  host: 'HOST',
  port: 'PORT',
  logLevel: 'LOG_LEVEL',
};
const NOT_A_SETTING = '$schema';
/** What the command decides itself. */
const OF_THE_PLUGIN: readonly string[] = ['decorateAs'];

/** Every setting, a group before what is in it. */
export function catalog(schema: JsonSchema = markedSchema()): readonly Setting[] {
  return settingsIn(schema, [], false);
}

/** Those that have a value of their own. */
export function leaves(settings: readonly Setting[] = catalog()): readonly Setting[] {
  return settings.filter(({ kind }) => kind !== 'group' && kind !== 'inner');
}

/** `limits.maxFrameBytes` → `EARSHOT_LIMITS_MAX_FRAME_BYTES`. */
export function variableOf(path: readonly string[]): string {
  return `EARSHOT_${path.map((key) => words(key).join('_')).join('_')}`.toUpperCase();
}

function settingsIn(schema: JsonSchema, above: readonly string[], isInner: boolean): readonly Setting[] {
  return Object.entries(schema.properties ?? {})
    .filter(([key]) => key !== NOT_A_SETTING)
    .flatMap(([key, child]) => {
      const path = [...above, key];
      const isRequired = schema.required?.includes(key) ?? false;
      const own = settingOf(
        child,
        path,
        isInner ? 'inner' : OF_THE_PLUGIN.includes(key) ? 'code' : kindOf(child),
        isRequired,
      );
      return [own, ...settingsWithin(child, path, isInner || own.kind === 'json')];
    });
}

/** A map is named by its keys, a list by its items: `channels.<pattern>.create`, `token.issuers.<n>.issuer`. */
function settingsWithin(schema: JsonSchema, path: readonly string[], isInner: boolean): readonly Setting[] {
  if (typeof schema.additionalProperties === 'object')
    return settingsIn(schema.additionalProperties, [...path, '<pattern>'], isInner);
  if (schema.items !== undefined) return settingsIn(schema.items, [...path, '<n>'], isInner);
  const inner = [schema, ...(schema.anyOf ?? [])].find(({ properties }) => properties !== undefined);
  return inner === undefined ? [] : settingsIn(inner, path, isInner);
}

function settingOf(schema: JsonSchema, path: readonly string[], kind: Kind, isRequired: boolean): Setting {
  const name = path.join('.');
  const isText = !['code', 'group', 'inner'].includes(kind);
  const common = COMMON_VARIABLES[name];
  return {
    name,
    path,
    kind,
    flag: isText && kind !== 'json' && schema.secret !== true ? flagOf(path) : undefined,
    variables: isText ? [variableOf(path), ...(common === undefined ? [] : [common])] : [],
    canBeOff: kind === 'text' && (schema.anyOf ?? []).some((each) => each.const === false),
    choices: (schema.enum ?? schema.items?.enum)?.map(String),
    isRequired,
    schema,
    meaning: schema.description ?? '',
  };
}

function flagOf(path: readonly string[]): string {
  return `--${path.map((key) => words(key).join('-')).join('-')}`.toLowerCase();
}

/** `maxFrameBytes` → `max`, `Frame`, `Bytes`. */
function words(key: string): readonly string[] {
  return key.split(/(?=[A-Z])/);
}

function kindOf(schema: JsonSchema): Kind {
  const { type, items, properties, anyOf = [] } = schema;
  if (schema.inCode === true) return 'code';
  if (properties !== undefined) return 'group';
  if (type === 'string') return 'text';
  if (type === 'number' || type === 'integer') return 'number';
  if (type === 'boolean') return 'boolean';
  if (type === 'array') return items?.type === 'string' ? 'list' : 'json';
  const types = anyOf.map((each) => each.type);
  if (types.includes('array')) return 'texts';
  if (types.includes('string')) return 'text';
  return types.includes('boolean') ? 'boolean' : 'json';
}
