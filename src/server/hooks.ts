import { inspect } from 'node:util';
import type { CoreHooks, PublishChange } from '../core/hooks.js';
import type { Journal, LogContext } from '../core/telemetry.js';
import { Refused } from '../protocol/refused.js';
import type { ConnectEvent, ConnectIdentity, Hooks } from './options/hooks.js';
import { within } from './within.js';

/** The host's hooks, each bounded in time, with `false` turned into a refusal. */
export interface GuardedHooks extends CoreHooks {
  readonly onConnect?: (event: ConnectEvent) => Promise<ConnectIdentity | undefined>;
}

/** What a hook failed with: told in the log by the name of the hook. */
class HookError extends Error {
  override readonly name = 'HookError';
}

/** Throws on: a `Refused` as it is, everything else as a HookError, which is answered with `internal`. */
export function guardHooks(hooks: Hooks, timeoutMs: number, journal: Journal): GuardedHooks {
  const call = <T, R>(
    name: keyof Hooks,
    context: LogContext,
    work: () => T | Promise<T>,
    read: (answer: T) => R,
  ): Promise<R> =>
    callHook(name, async () => read(await work()), timeoutMs).catch((error: unknown) => {
      if (error instanceof LateHook) journal.error(error, context);
      throw error;
    });
  const { authorize, onConnect, onSubscribe, onPublish, onDisconnect } = hooks;
  return {
    ...(authorize && { authorize: (event) => call('authorize', event, () => authorize(event), verdictOf) }),
    ...(onConnect && {
      onConnect: (event) =>
        call('onConnect', { address: event.address }, () => onConnect(event), objectOf<ConnectIdentity>),
    }),
    ...(onSubscribe && {
      onSubscribe: (event) => call('onSubscribe', event, () => onSubscribe(event), checkAllowed),
    }),
    ...(onPublish && {
      onPublish: (event) => call('onPublish', event, () => onPublish(event), changeOf),
    }),
    ...(onDisconnect && {
      onDisconnect: (event) => {
        call('onDisconnect', event, () => onDisconnect(event), ignore).catch((error: unknown) => {
          if (!(error instanceof LateHook)) journal.error(named('onDisconnect', error), event);
        });
      },
    }),
  };
}

/** It gave no answer in time. */
class LateHook extends Refused {
  constructor(name: string, timeoutMs: number) {
    super('unavailable', `the hook ${name} gave no answer within ${timeoutMs} ms`);
  }
}

async function callHook<T>(name: keyof Hooks, work: () => Promise<T>, timeoutMs: number): Promise<T> {
  try {
    const working = work();
    working.catch(ignore); // one that fails after its time must not end the process
    return await within(timeoutMs, working, () => new LateHook(name, timeoutMs));
  } catch (error) {
    throw error instanceof Refused ? error : named(name, error);
  }
}

function named(name: keyof Hooks, error: unknown): HookError {
  if (error instanceof HookError) return error;
  const cause = error instanceof Error ? error : new Error(inspect(error)); // the log tells of a cause only as an Error
  return new HookError(`the hook ${name} failed`, { cause });
}

function verdictOf(answer: unknown): boolean | undefined {
  if (answer === undefined || typeof answer === 'boolean') return answer;
  throw nonsense(answer);
}

/** Throws `forbidden` where a hook says no. What is no answer at all is not taken for a yes. */
function checkAllowed(answer: unknown): void {
  if (verdictOf(answer) === false) throw new Refused('forbidden', 'the application refuses this');
}

/** What a hook says besides yes. */
function objectOf<T extends object>(answer: T | boolean | undefined): T | undefined {
  if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) return answer;
  checkAllowed(answer);
  return undefined;
}

function changeOf(answer: PublishChange | boolean | undefined): PublishChange | undefined {
  const change = objectOf(answer);
  const { from, meta }: { readonly from?: unknown; readonly meta?: unknown } = change ?? {};
  if (from !== undefined && typeof from !== 'string') throw nonsense(from, 'from');
  if (meta !== undefined && (typeof meta !== 'object' || meta === null || Array.isArray(meta)))
    throw nonsense(meta, 'meta');
  return change;
}

function nonsense(answer: unknown, where = 'an answer'): Error {
  const kind = answer === null ? 'null' : Array.isArray(answer) ? 'a list' : `a ${typeof answer}`;
  return new Error(`it gave ${kind} as ${where}`);
}

function ignore(): void {}
