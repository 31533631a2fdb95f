import type { Test } from 'tap';
import type { OpenApi } from './openapi.js';
import { Contract } from './openapi.js';

export const KEY = 'a key of tests, 16 characters or more';

export interface Asked {
  /** What JSON is made from. */
  readonly body?: unknown;
  /** Sent as it is, instead. */
  readonly text?: string;
  /** On top of the key and, where there is a body, its type; undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; empty where there is none. */
  readonly body: ToldBody;
}

/** Of the bodies of answers, what tests take out. That they are so, the contract has checked. */
export interface ToldBody {
  readonly offset?: string;
  readonly upToDate?: boolean;
  readonly closed?: boolean;
  readonly subscriptions?: number;
  readonly channels?: readonly string[];
  readonly sessions?: readonly { readonly id: string }[];
  readonly next?: string | null;
  readonly details?: readonly string[];
}

/** Asks the operator's API; everything that is asked and answered is held against the document that is served. */
export class Operator {
  readonly contract: Contract;
  /** The operations that have answered well so far, as `GET /v1/admin/stats`. */
  readonly done = new Set<string>();
  readonly #t: Test;
  readonly #origin: string;
  readonly #prefix: string;

  constructor(t: Test, origin: string, prefix: string, document: OpenApi) {
    this.#t = t;
    this.#origin = origin;
    this.#prefix = prefix;
    this.contract = new Contract(document);
  }

  async ask(method: string, target: string, { body, text, headers = {} }: Asked = {}): Promise<Told> {
    const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const all = {
      authorization: `Bearer ${KEY}`,
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    };
    const path = `${this.#prefix}/v1/admin${target}`;
    const response = await fetch(this.#origin + path, {
      method,
      headers: Object.entries(all).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value] as [string, string]],
      ),
      ...(sent !== undefined && { body: sent }),
    });
    const came = await response.text();
    const told: Told = {
      status: response.status,
      headers: response.headers,
      text: came,
      body: JSON.parse(came === '' ? '{}' : came),
    };
    this.#hold(method, path.split('?')[0] ?? '', text === undefined ? body : undefined, told);
    return told;
  }

  #hold(method: string, path: string, body: unknown, told: Told): void {
    const { status, headers, text } = told;
    const what = `${method} ${path} → ${status}`;
    const answered = {
      status,
      contentType: headers.get('content-type'),
      body: text === '' ? undefined : told.body,
    };
    this.#t.strictSame(this.contract.faultsOfAnswer(method, path, answered), [], `${what} is as described`);
    this.#t.equal(headers.get('cache-control'), 'no-store', what);
    this.#t.equal(headers.get('access-control-allow-origin'), null, what);
    const faults = body === undefined ? [] : this.contract.faultsOfBody(method, path, body);
    if (status < 300) {
      this.#t.strictSame(faults, [], `what ${what} took is as described`);
      this.done.add(this.contract.operationAt(method, path));
    }
  }
}

/** The document, which nobody needs the key for. */
export async function documentAt(url: string): Promise<OpenApi> {
  const response = await fetch(`${url}/openapi.json`);
  if (response.status !== 200) throw new Error(`no document at ${url}: ${response.status}`);
  return (await response.json()) as OpenApi; // what it is, is tested by what the tests do with it
}

export async function operatorOf(t: Test, origin: string, prefix = ''): Promise<Operator> {
  return new Operator(t, origin, prefix, await documentAt(origin + prefix));
}
