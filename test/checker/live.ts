import type { HistoryEvent } from '../../src/cli/check/history/events.js';
import { judge } from '../../src/cli/check/judge/judge.js';
import { Random } from '../../src/cli/check/load/random.js';
import type { CheckOptions } from '../../src/cli/check/load/run.js';
import { runCheck } from '../../src/cli/check/load/run.js';
import { pause } from '../../src/cli/client/pause.js';
import { targetFrom } from '../../src/cli/doctor/target.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { appOn } from '../support/app.js';
import { secret } from '../support/secrets.js';
import type { Teardown } from '../support/spawn.js';
import { freePort } from '../support/spawn.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { signed } from '../support/tokens.js';

export const SECRET = secret('the secret of the servers that are checked, of 32 bytes');
const HOUR_S = 3600;

/** Whoever has a token may do this on the channels of a check, and nobody else anything. */
export function guarded(
  authenticated: readonly ('subscribe' | 'publish' | 'history' | 'manage')[],
  options: EarshotOptions = {},
): EarshotOptions {
  return {
    dev: false,
    anonymous: true,
    token: { secret: SECRET },
    channels: { 'check/**': { authenticated: [...authenticated], anonymous: [] } },
    ...options,
  };
}

export const token = () => {
  const exp = Math.floor(Date.now() / 1000) + HOUR_S;
  return secret(signed({ alg: 'HS256' }, { sub: 'checker', exp }, SECRET));
};

export const targetOf = (url: string, bearer?: string) => targetFrom(url, { path: '/ws' }, bearer);

const SMALL = { seconds: 2, publishers: 2, readers: 3, channels: 2, prefix: 'check' };

/** What a short run against a real server notes: a clean history of everything that there is. */
export async function record(
  t: Teardown,
  options: EarshotOptions,
  check: Partial<CheckOptions> & Pick<CheckOptions, 'seed'>,
): Promise<readonly HistoryEvent[]> {
  const { url } = await appOn(t, options);
  const events: HistoryEvent[] = [];
  const denied = options.dev === true ? undefined : { target: targetOf(url), channels: [] };
  const note = (event: HistoryEvent) => events.push(event);
  await runCheck({ ...SMALL, target: targetOf(url, token()), denied, note, ...check });
  return events;
}

/** The same with a server that is gone now and then with all that it had, and another begins in its place. */
export async function recordLosses(
  t: Teardown,
  options: EarshotOptions,
  check: Pick<CheckOptions, 'seed'>,
): Promise<readonly HistoryEvent[]> {
  const random = new Random(`${check.seed} losses`);
  let server = await appOn(t, options);
  const proxy = await tcpProxy(t, server.port);
  const events: HistoryEvent[] = [];
  const faults: CheckOptions['faults'] = async (noted, signal) => {
    const nowhere = await freePort();
    while (!signal.aborted) {
      await pause(random.between(400, 1000), signal);
      proxy.leadTo(nowhere);
      proxy.cut();
      await server.app.close();
      noted('loss');
      server = await appOn(t, options);
      proxy.leadTo(server.port);
    }
  };
  const url = `http://127.0.0.1:${proxy.port}`;
  const denied = { target: targetOf(url), channels: [] };
  const note = (event: HistoryEvent) => events.push(event);
  await runCheck({ ...SMALL, target: targetOf(url, token()), denied, note, isWhole: true, faults, ...check });
  return events;
}

/** Throws for a history that is not clean. */
export function clean(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const { clean, faults, violations } = judge(events);
  if (clean) return events;
  throw new Error(JSON.stringify({ faults, violations }, null, 2));
}
