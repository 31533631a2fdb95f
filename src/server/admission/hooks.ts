import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { UpgradeInfo, VerifyClient } from '../options.js';

/** What a `verifyClient` hook said. */
export interface Verdict {
  readonly verified: boolean;
  readonly status?: number | undefined;
  readonly message?: string | undefined;
}

/**
 * Asks the hook in either of ws's forms. A promise is awaited: ws itself takes one for a yes.
 * Rejects where the hook throws.
 */
export async function askVerifyClient(hook: VerifyClient, req: IncomingMessage): Promise<Verdict> {
  const info: UpgradeInfo = { origin: req.headers.origin, secure: req.socket instanceof TLSSocket, req };
  if (hook.length < 2) {
    const ask = hook as (info: UpgradeInfo) => boolean | Promise<boolean>; // told apart by its arity, as ws does
    return { verified: (await ask(info)) === true };
  }
  return new Promise((resolve, reject) => {
    const called: unknown = hook(info, (verified, status, message) =>
      resolve({ verified: verified === true, status, message }),
    );
    if (called instanceof Promise) called.catch(reject); // an async hook that fails must not end the process
  });
}
