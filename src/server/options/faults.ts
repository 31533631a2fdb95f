import * as z from 'zod';
import { didYouMean } from './suggest.js';

/** What is wrong with one option. */
export interface Fault {
  /** Its whole name, as `limits.maxFrameBytes`. */
  readonly name: string;
  readonly text: string;
}

type Path = readonly PropertyKey[];

/** What a schema has found, an option a line. */
export function faultsOf(schema: z.ZodType, error: z.ZodError): readonly Fault[] {
  return error.issues.flatMap((issue) => faults(schema, issue, issue.path));
}

function faults(schema: z.ZodType, issue: z.core.$ZodIssue, path: Path): readonly Fault[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknown(schema, path, key));
  const within = issue.code === 'invalid_union' ? issue.errors.find(isWithin) : undefined;
  if (within !== undefined) return within.flatMap((each) => faults(schema, each, [...path, ...each.path]));
  return [{ name: nameOf(path), text: issue.message }];
}

/** Of the branches of a union, the one that the value was meant for: its fault lies within the value. */
function isWithin([first]: readonly z.core.$ZodIssue[]): boolean {
  return first !== undefined && (first.code === 'unrecognized_keys' || first.path.length > 0);
}

function unknown(schema: z.ZodType, path: Path, key: string): Fault {
  const prefix = path.map((part) => `${String(part)}.`).join('');
  const elsewhere = namesIn(schema).filter((name) => name.endsWith(`.${key}`));
  const meant = didYouMean(key, keysAt(schema, path), prefix) || didYouMean(elsewhere[0] ?? key, elsewhere);
  return { name: nameOf([...path, key]), text: `unknown option${meant}` };
}

function nameOf(path: Path): string {
  return path.map(String).join('.') || 'options';
}

/** The keys that an object takes which stands at this place. */
function keysAt(schema: unknown, path: Path): readonly string[] {
  const bare = unwrapped(schema);
  const [key, ...rest] = path;
  if (bare instanceof z.ZodUnion) return bare.options.flatMap((option) => keysAt(option, path));
  if (key === undefined) return bare instanceof z.ZodObject ? Object.keys(bare.shape) : [];
  if (bare instanceof z.ZodObject) return keysAt(bare.shape[String(key)], rest);
  if (bare instanceof z.ZodRecord) return keysAt(bare.valueType, rest);
  return bare instanceof z.ZodArray ? keysAt(bare.element, rest) : [];
}

/** Every name that there is, of groups and what is in them. */
function namesIn(schema: unknown, prefix = ''): readonly string[] {
  const bare = unwrapped(schema);
  if (!(bare instanceof z.ZodObject)) return [];
  return Object.entries(bare.shape).flatMap(([key, child]) => [
    prefix + key,
    ...namesIn(child, `${prefix}${key}.`),
  ]);
}

function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrapped(schema.unwrap());
  return schema;
}
