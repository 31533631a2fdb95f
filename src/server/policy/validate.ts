import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type * as z from 'zod';
import type { MessageSchema } from '../options/channels.js';

/** One line per fault of data, each with its path; none where it is good. */
export type Validate = (data: unknown) => readonly string[];

const MAX_FAULTS = 10;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;

/** The check that a schema stands for. Throws an Error in words for a JSON Schema that is none. */
export function validatorOf(schema: MessageSchema): Validate {
  return isZod(schema) ? zodValidator(schema) : jsonSchemaValidator(schema);
}

function isZod(schema: MessageSchema): schema is z.ZodType {
  return '_zod' in schema;
}

function zodValidator(schema: z.ZodType): Validate {
  return (data) => {
    const result = schema.safeParse(data);
    if (result.success) return [];
    return result.error.issues
      .slice(0, MAX_FAULTS)
      .map(({ path, message }) => `${['data', ...path.map(String)].join('.')}: ${message}`);
  };
}

/** Stops at the first fault: to gather all of them would let a publisher choose how long it takes. */
function jsonSchemaValidator(schema: Readonly<Record<string, unknown>>): Validate {
  const options = { strict: true, strictRequired: false, strictTypes: false, allowUnionTypes: true };
  const ajv = DRAFT_07.test(String(schema['$schema'])) ? new Ajv(options) : new Ajv2020(options);
  formats.default(ajv);
  const validate: ValidateFunction = ajv.compile(schema);
  if ('$async' in validate) throw new Error('a schema with $async is not taken');
  return (data) => (validate(data) === true ? [] : (validate.errors ?? []).map(describe));
}

function describe({ instancePath, message = 'not valid', params }: ErrorObject): string {
  const path = ['data', ...instancePath.split('/').slice(1).map(unescapePointer)].join('.');
  const extra =
    'additionalProperty' in params ? `: ${String(params['additionalProperty']).slice(0, 40)}` : '';
  return `${path}: ${message}${extra}`;
}

/** RFC 6901 §4. */
function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
