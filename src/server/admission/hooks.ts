import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { ErrorCode } from '../../protocol/codes.js';
import { Refused } from '../../protocol/refused.js';
import type { UpgradeInfo, VerifyClient } from '../options/hooks.js';

/** The host's `verifyClient` said no, with a status of its own. */
export class RefusedByHook extends Refused {
  readonly status: number;

  constructor(status = 403, message = 'refused') {
    const code: ErrorCode = status === 401 ? 'unauthenticated' : 'forbidden';
    super(code, message);
    this.status = status >= 400 && status <= 599 ? status : 403;
  }
}

/**
 * Asks the hook in either of ws's forms. A promise is awaited: ws itself takes one for a yes.
 * Rejects with `RefusedByHook` where it says no, and with its own error where it throws.
 */
export async function askVerifyClient(hook: VerifyClient, req: IncomingMessage): Promise<void> {
  const info: UpgradeInfo = { origin: req.headers.origin, secure: req.socket instanceof TLSSocket, req };
  if (hook.length < 2) {
    const ask = hook as (info: UpgradeInfo) => boolean | Promise<boolean>; // told apart by its arity, as ws does
    if ((await ask(info)) !== true) throw new RefusedByHook();
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const called: unknown = hook(info, (verified, status, message) => {
      if (verified === true) resolve();
      else reject(new RefusedByHook(status, message));
    });
    if (called instanceof Promise) called.catch(reject); // an async hook that fails must not end the process
  });
}
