import type { ErrorCode } from '../../protocol/codes.js';
import { Refused } from '../../protocol/refused.js';
import type { StoredMessage } from '../message.js';
import { Closed, Fenced, OutOfSequence } from '../refusals.js';
import type { Store, Tail } from '../store.js';

/** What is asked of the store as it is; the rest has words of its own. */
export type Method = Exclude<keyof Store, 'watch' | 'end'>;

/** From who shares a store. What has the id 0 is not answered. */
export type Asked =
  | { [M in Method]: readonly [id: number, method: M, args: Parameters<Store[M]>] }[Method]
  | readonly [id: number, method: 'watch', args: readonly [channel: string]]
  | readonly [id: 0, method: 'unwatch', args: readonly [channel: string]];

/** What a watcher hears. */
export type News =
  | readonly ['appended', channel: string, message: StoredMessage, epoch: string]
  | readonly ['closed', channel: string, tail: Tail]
  | readonly ['deleted', channel: string]
  | readonly ['moved', channel: string, tail: Tail];

/** To who shares a store. */
export type Told =
  | News
  | readonly ['done', id: number, value: unknown]
  | readonly ['failed', id: number, fault: Fault];

/** An error as data. */
export type Fault =
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: readonly string[] | undefined;
    }
  | { readonly kind: 'closed'; readonly offset: string }
  | { readonly kind: 'fenced'; readonly epoch: number }
  | {
      readonly kind: 'sequence';
      readonly expected: number;
      readonly received: number;
      readonly beginsEpoch: boolean;
    }
  | { readonly kind: 'error'; readonly message: string; readonly stack: string | undefined };

export function faultOf(error: unknown): Fault {
  if (error instanceof Closed) return { kind: 'closed', offset: error.offset };
  if (error instanceof Fenced) return { kind: 'fenced', epoch: error.epoch };
  if (error instanceof OutOfSequence) {
    const { expected, received, beginsEpoch } = error;
    return { kind: 'sequence', expected, received, beginsEpoch };
  }
  if (error instanceof Refused) {
    const { code, message, details } = error;
    return { kind: 'refused', code, message, details };
  }
  if (error instanceof Error) return { kind: 'error', message: error.message, stack: error.stack };
  return { kind: 'error', message: String(error), stack: undefined };
}

export function errorFrom(fault: Fault): Error {
  if (fault.kind === 'closed') return new Closed(fault.offset);
  if (fault.kind === 'fenced') return new Fenced(fault.epoch);
  if (fault.kind === 'sequence') return new OutOfSequence(fault.expected, fault.received, fault.beginsEpoch);
  if (fault.kind === 'refused') return new Refused(fault.code, fault.message, fault.details);
  const error = new Error(fault.message);
  if (fault.stack !== undefined) error.stack = fault.stack;
  return error;
}
