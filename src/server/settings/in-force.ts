import type { ResolvedOptions } from '../options/options.js';
import { resolveOptions } from '../options/options.js';
import { policyFrom } from '../policy/policy.js';
import { leaves } from './catalog.js';
import type { JsonSchema } from './schema.js';
import { SERVE_DEFAULTS } from './schema.js';
import type { Settings } from './settings.js';
import { at } from './settings.js';

/** One setting as it is in force. */
export interface InForce {
  readonly name: string;
  /** As data: secrets are masked, what is code is named as such; null where it is not set. */
  readonly value: unknown;
  /** `flag --port`, `env PORT`, `file earshot.config.json` or `default`. */
  readonly from: string;
}

/** What stands for a secret, of whatever length. */
export const MASK = '••••';
const CODE = '(code)';

/** Every setting with its value and where that came from. Throws an OptionsError where they can't be together. */
export function inForce(settings: Settings): readonly InForce[] {
  const { listen, workers, tls, logLevel, logFormat, allowPublicDev, options, from } = settings;
  const resolved: ResolvedOptions = resolveOptions({ ...SERVE_DEFAULTS, ...options });
  policyFrom(resolved); // throws for a table of channels that can't be
  const values = { ...resolved, ...listen, workers, tls, logLevel, logFormat, allowPublicDev };
  const all = leaves();
  const names = new Set(all.map(({ name }) => name));
  return all
    .filter(({ path }) => !isOff(values, path.slice(0, -1), names))
    .map(({ name, path, schema }) => ({
      name,
      value: printable(at(values, path), schema),
      from: from.get(name) ?? 'default',
    }));
}

/** True for what is within a setting that may be an object and is none. */
function isOff(values: unknown, above: readonly string[], names: ReadonlySet<string>): boolean {
  return names.has(above.join('.')) && typeof at(values, above) !== 'object';
}

/** An address as it was given. */
function withoutPassword(address: string): string {
  return address.replace(/(:\/\/[^:@/]*:)[^@/]*@/, `$1${MASK}@`);
}

/** The value as data, by its schema. */
export function printable(value: unknown, schema: JsonSchema): unknown {
  if (value === undefined || value === null) return null;
  if (schema.secret === true) return MASK;
  if (typeof value === 'function' || schema.inCode === true) return CODE;
  if (schema.address === true && typeof value === 'string') return withoutPassword(value);
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => printable(item, schema.items ?? {}));
  if ('_zod' in value) return CODE;
  const inner =
    [schema, ...(schema.anyOf ?? [])].find(({ properties }) => properties !== undefined) ?? schema;
  const rest = typeof inner.additionalProperties === 'object' ? inner.additionalProperties : {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([key, each]) => [key, printable(each, inner.properties?.[key] ?? rest)]),
  );
}
