import * as z from 'zod';
import type { ErrorCode } from '../../protocol/codes.js';
import { describeFaults } from '../../protocol/decode.js';
import type { JsonText } from '../../protocol/json-text.js';
import { Refused } from '../../protocol/refused.js';
import type { Earshot } from '../earshot.js';

/** An answer as the document tells of it; one without a schema has no body. */
export interface AnswerSpec {
  readonly description: string;
  readonly schema?: z.ZodType;
}

/** By status. */
export type Answers = Readonly<Record<number, AnswerSpec>>;

/** All that a request says. */
export type RequestSchema = z.ZodObject<{
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType;
}>;

export interface Answer {
  readonly status: number;
  /** What JSON is made from, or JSON already; undefined where there is none. */
  readonly body?: unknown;
}

/** One row of the table: what Fastify serves and what the document says both come from here. */
export interface AdminRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Below `/v1/admin`, as Fastify writes it: `/sessions/:id`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly request: RequestSchema;
  readonly answers: Answers;
  /** What it may refuse besides what every route may. */
  readonly refusals: readonly ErrorCode[];
  /** Checks the request and does it. `dataText` is the text of the body's `data`. */
  run(earshot: Earshot, request: unknown, dataText: string): Promise<Answer>;
}

/** What a row answers with: by name, so that the status keeps its own type. */
export function answer<S extends number>(status: S): { readonly status: S };
export function answer<S extends number, B>(status: S, body: B): { readonly status: S; readonly body: B };
export function answer(status: number, body?: unknown): Answer {
  return { status, body };
}

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** One of the answers, with the body that its schema asks for. */
type AnswerOf<A extends Answers> = {
  [Status in keyof A & number]: A[Status] extends { readonly schema: infer S extends z.ZodType }
    ? { readonly status: Status; readonly body: DeepReadonly<z.output<S>> | JsonText }
    : { readonly status: Status };
}[keyof A & number];

interface Definition<R extends RequestSchema, A extends Answers>
  extends Omit<AdminRoute, 'request' | 'answers' | 'run'> {
  readonly request: R;
  readonly answers: A;
  run(earshot: Earshot, request: z.output<R>, dataText: string): AnswerOf<A> | Promise<AnswerOf<A>>;
}

const NOTHING = z.strictObject({});
const NO_BODY = z.undefined({ error: 'none is taken here' });

/** What a request may say; nothing of a part that is left out. */
export function requestOf<
  P extends z.ZodObject = typeof NOTHING,
  Q extends z.ZodObject = typeof NOTHING,
  B extends z.ZodType = typeof NO_BODY,
>({ params, query, body }: { readonly params?: P; readonly query?: Q; readonly body?: B }) {
  return z.strictObject({
    params: (params ?? NOTHING) as P, // what is left out has the type of its default
    query: (query ?? NOTHING) as Q,
    body: (body ?? NO_BODY) as B,
  });
}

export function takesBody({ request }: AdminRoute): boolean {
  return request.shape.body !== NO_BODY;
}

/** A row whose types hold among its parts, and are of no interest outside. */
export function route<R extends RequestSchema, const A extends Answers>(
  definition: Definition<R, A>,
): AdminRoute {
  return {
    ...definition,
    run: async (earshot, request, dataText) =>
      definition.run(earshot, checked(definition.request, request), dataText),
  };
}

function checked<R extends RequestSchema>(schema: R, request: unknown): z.output<R> {
  const result = schema.safeParse(request);
  if (result.success) return result.data;
  const { code, details } = describeFaults(result.error);
  throw new Refused(code, details[0] ?? 'not a request of this route', details);
}
