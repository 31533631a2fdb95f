import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { ErrorCode } from '../../protocol/codes.js';
import { ERRORS } from '../../protocol/codes.js';
import type { AdminRoute, AnswerSpec } from './route.js';
import { takesBody } from './route.js';
import { named } from './schemas.js';

type JsonObject = Readonly<Record<string, unknown>>;

/** The same three levels up from src/server/admin and from dist/server/admin. */
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const EVERY_ROUTE: readonly ErrorCode[] = ['bad_envelope', 'unauthenticated', 'rate_limited', 'internal'];
const WITH_BODY: readonly ErrorCode[] = ['bad_data', 'too_large', 'unsupported_media'];

/** The OpenAPI 3.1 document of these routes; `prefix` is what stands before their paths. */
export function documentOf(routes: readonly AdminRoute[], prefix: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes) {
    const path = prefix + route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.1',
    info: { title: "Earshot: the operator's API", version, license: { name: 'MIT', identifier: 'MIT' } },
    security: [{ operator: [] }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        operator: { type: 'http', scheme: 'bearer', description: 'the option `admin.key`' },
      },
    },
  };
}

function operationOf(route: AdminRoute): JsonObject {
  const { operationId, summary, request, answers } = route;
  const { params, query, body } = request.shape;
  return {
    operationId,
    summary,
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query')],
    ...(takesBody(route) && {
      requestBody: { required: true, content: { 'application/json': { schema: refTo(body) } } },
    }),
    responses: { ...mapValues(answers, responseOf), ...problemsOf(route) },
  };
}

function parametersOf(schema: z.ZodObject, place: 'path' | 'query'): readonly JsonObject[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, each]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: each,
  }));
}

function responseOf({ description, schema }: AnswerSpec): JsonObject {
  return { description, ...(schema && { content: { 'application/json': { schema: refTo(schema) } } }) };
}

/** By status: several codes may share one. */
function problemsOf(route: AdminRoute): Record<string, JsonObject> {
  const codes = new Set([...EVERY_ROUTE, ...(takesBody(route) ? WITH_BODY : []), ...route.refusals]);
  const lines: Record<string, string[]> = {};
  for (const code of codes) {
    const { status, meaning } = ERRORS[code];
    lines[status] = [...(lines[status] ?? []), `\`${code}\`: ${meaning}`];
  }
  const content = { 'application/problem+json': { schema: refTo(named.Problem) } };
  return mapValues(lines, (each) => ({ description: each.join(' '), content }));
}

/** Everything that is asked and answered has a name. */
function refTo(schema: z.ZodType): JsonObject {
  const [name] = Object.entries(named).find(([, each]) => each === schema) ?? [];
  if (name === undefined) throw new Error("a schema of the operator's API has no name");
  return { $ref: pointerTo(name) };
}

function pointerTo(name: string): string {
  return `#/components/schemas/${name}`;
}

function componentSchemas(): JsonObject {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: pointerTo });
  return mapValues(schemas, ({ $schema: _dialect, $id: _pointer, ...schema }) => schema);
}

function mapValues<From, To>(
  from: Readonly<Record<string, From>>,
  to: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
}
