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
  const call = <T>(name: keyof Hooks, context: LogContext, work: () => T | Promise<T>): Promise<T> =>
    callHook(name, work, timeoutMs).catch((error: unknown) => {
      if (error instanceof LateHook) journal.error(error, context);
      throw error;
    });
  const { authorize, onConnect, onSubscribe, onPublish, onDisconnect } = hooks;
  return {
    ...(authorize && { authorize: (event) => call('authorize', event, () => authorize(event)) }),
    ...(onConnect && {
      onConnect: async (event) =>
        objectOf(await call('onConnect', { address: event.address }, () => onConnect(event))),
    }),
    ...(onSubscribe && {
      onSubscribe: async (event) => {
        objectOf(await call('onSubscribe', event, () => onSubscribe(event)));
      },
    }),
    ...(onPublish && {
      onPublish: async (event) =>
        objectOf<PublishChange>(await call('onPublish', event, () => onPublish(event))),
    }),
    ...(onDisconnect && {
      onDisconnect: (event) => {
        call('onDisconnect', event, () => onDisconnect(event)).catch((error: unknown) => {
          if (!(error instanceof LateHook)) journal.error(error, event);
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

async function callHook<T>(name: keyof Hooks, work: () => T | Promise<T>, timeoutMs: number): Promise<T> {
  try {
    const working = Promise.resolve(work());
    working.catch(() => {}); // one that fails after its time must not end the process
    return await within(timeoutMs, working, () => new LateHook(name, timeoutMs));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new HookError(`the hook ${name} failed`, { cause: error });
  }
}

/** What a hook says besides yes. Throws `forbidden` where it says no. */
function objectOf<T extends object>(answer: T | boolean | undefined): T | undefined {
  if (answer === false) throw new Refused('forbidden', 'the application refuses this');
  return typeof answer === 'object' && answer !== null ? answer : undefined;
}
