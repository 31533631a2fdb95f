import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** What of OpenAPI 3.1 the documents of ours use. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, { readonly type: string; readonly scheme: string }>>;
  };
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: object;
}

type Content = Readonly<Record<string, { readonly schema: object }>>;

/** An answer, as far as a document tells of it. */
export interface Answered {
  readonly status: number;
  readonly contentType: string | null;
  /** Parsed; undefined where there is none. */
  readonly body: unknown;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const ROOT_KEYS = ['openapi', 'info', 'servers', 'paths', 'components', 'security', 'tags', 'externalDocs'];

/** `GET /a/{id}` for each operation, sorted. */
export function operationsOf({ paths }: OpenApi): readonly string[] {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  return all.sort();
}

/** What of the structure is not as OpenAPI 3.1 has it; the rules that a reader of it would stumble over. */
export function faultsOf(document: OpenApi): readonly string[] {
  const { openapi, info, components, security, paths } = document;
  const faults = Object.keys(document).filter((key) => !ROOT_KEYS.includes(key));
  if (!/^3\.1\.\d+$/.test(openapi)) faults.push(`openapi: ${openapi}`);
  if (info.title === '' || info.version === '') faults.push('info: a title and a version');
  for (const name of security.flatMap((each) => Object.keys(each))) {
    if (!Object.hasOwn(components.securitySchemes, name)) faults.push(`security: no scheme ${name}`);
  }
  for (const name of Object.keys(components.schemas)) {
    if (!/^[A-Za-z0-9._-]+$/.test(name)) faults.push(`components: ${name}`);
  }
  const ids = new Set<string>();
  for (const [path, item] of Object.entries(paths)) {
    if (!path.startsWith('/')) faults.push(`${path}: begins with "/"`);
    for (const [method, operation] of Object.entries(item)) {
      if (!METHODS.includes(method)) faults.push(`${path}: ${method}`);
      if (ids.has(operation.operationId)) faults.push(`${operation.operationId} is there twice`);
      ids.add(operation.operationId);
      faults.push(...faultsOfOperation(path, operation).map((fault) => `${method} ${path}: ${fault}`));
    }
  }
  const dead = refsOf(document).filter((ref) => resolve(document, ref) === undefined);
  return [...faults, ...dead.map((ref) => `nothing at ${ref}`), ...badSchemas(document)];
}

function faultsOfOperation(path: string, { parameters, requestBody, responses }: Operation) {
  const faults: string[] = [];
  const inPath = parameters.filter((each) => each.in === 'path');
  const asked = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  if (
    asked.sort().join() !==
    inPath
      .map(({ name }) => name)
      .sort()
      .join()
  )
    faults.push('its path and its parameters');
  if (inPath.some(({ required }) => !required)) faults.push('a parameter of the path is always required');
  const names = parameters.map((each) => `${each.in} ${each.name}`);
  if (new Set(names).size < names.length) faults.push('a parameter is there twice');
  if (parameters.some((each) => !['path', 'query'].includes(each.in)))
    faults.push('where its parameters are');
  if (requestBody !== undefined && Object.keys(requestBody.content).length === 0)
    faults.push('a body of no type');
  if (Object.keys(responses).length === 0) faults.push('no response');
  for (const [status, { description, content }] of Object.entries(responses)) {
    if (!/^[1-5]\d\d$/.test(status)) faults.push(`the status ${status}`);
    if (description === '') faults.push(`${status} is not described`);
    if (status === '204' && content !== undefined) faults.push('204 has no content');
  }
  return faults;
}

/** Every schema is one of JSON Schema 2020-12, to the strictest reader. */
function badSchemas(document: OpenApi): readonly string[] {
  const bad: string[] = [];
  const { schemas } = document.components;
  for (const [name, schema] of Object.entries(schemas)) {
    try {
      // strict, but for `required` beside `properties` in a oneOf, and types that a parent names
      const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false });
      for (const [other, each] of Object.entries(schemas)) ajv.addSchema(rebased(each), `document/${other}`);
      ajv.compile(rebased(schema));
    } catch (error) {
      bad.push(`${name}: ${String(error)}`);
    }
  }
  return bad;
}

function rebased(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', 'document/'));
}

function refsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    key === '$ref' && typeof each === 'string' ? [each] : refsOf(each),
  );
}

function resolve(document: OpenApi, ref: string): unknown {
  if (!ref.startsWith('#/')) return undefined;
  const keys = ref.slice(2).split('/');
  return keys.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[unescaped(key)],
    document,
  );
}

function unescaped(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}

function pointer(...keys: readonly string[]): string {
  return keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Holds what is asked and answered against a document. */
export class Contract {
  readonly document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });

  constructor(document: OpenApi) {
    this.document = document;
    formats.default(this.#ajv);
    this.#ajv.addSchema(document, 'document');
  }

  /** What the document does not say of this answer; none where it is as described. `path` has no query. */
  faultsOfAnswer(method: string, path: string, { status, contentType, body }: Answered): readonly string[] {
    const [template, operation] = this.#operation(method, path);
    const response = operation.responses[status];
    if (response === undefined) return [`${method} ${template} says nothing of ${status}`];
    const [type = ''] = (contentType ?? '').split(';');
    if (response.content === undefined)
      return body === undefined && type === '' ? [] : ['a body that is not described'];
    if (response.content[type] === undefined) return [`${status} is not of the type "${type}"`];
    const at = pointer('paths', template, method.toLowerCase(), 'responses', String(status), 'content', type);
    return this.#faults(`${at}/schema`, body);
  }

  /** What the document has against this body of a request. */
  faultsOfBody(method: string, path: string, body: unknown): readonly string[] {
    const [template, { requestBody }] = this.#operation(method, path);
    if (requestBody === undefined) return body === undefined ? [] : ['no body is described'];
    if (body === undefined) return requestBody.required ? ['a body is required'] : [];
    const at = pointer('paths', template, method.toLowerCase(), 'requestBody', 'content', 'application/json');
    return this.#faults(`${at}/schema`, body);
  }

  /** As `operationsOf` names it. */
  operationAt(method: string, path: string): string {
    return `${method} ${this.#operation(method, path)[0]}`;
  }

  #operation(method: string, path: string): readonly [string, Operation] {
    for (const [template, item] of Object.entries(this.document.paths)) {
      const operation = item[method.toLowerCase()];
      if (operation !== undefined && matches(template, path)) return [template, operation];
    }
    throw new Error(`the document has no ${method} ${path}`);
  }

  #faults(at: string, value: unknown): readonly string[] {
    const validate = this.#ajv.compile({ $ref: `document#${at}` });
    if (validate(value) === true) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${at}: ${instancePath} ${message}`);
  }
}

function matches(template: string, path: string): boolean {
  const [ours, theirs] = [template.split('/'), path.split('/')];
  return (
    ours.length === theirs.length && ours.every((each, at) => /^\{.*\}$/.test(each) || each === theirs[at])
  );
}
