import type { Settings } from '../options.js';
import type { Failure } from '../state.js';

const UNKNOWN: Failure = {
  code: 'disconnected',
  reason: 'The connection could not be opened.',
  advice: 'retry',
};

/**
 * Asks the server over HTTP why it refused an upgrade, for a browser is told only 1006. Never rejects:
 * where there's no answer, the network is at fault, and the advice is to come back later.
 */
export async function askWhy(
  settings: Settings,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Failure> {
  try {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const response = await settings.fetch(settings.sessionUrl, { headers, signal, cache: 'no-store' });
    const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
    if (response.ok || !isProblem) return UNKNOWN;
    const seconds = Number(response.headers.get('retry-after'));
    return { ...failureOf(await response.json()), minDelayMs: seconds > 0 ? seconds * 1000 : 0 };
  } catch {
    return UNKNOWN;
  }
}

function failureOf(problem: unknown): Failure {
  // A problem document of ours has these, as strings; of any other we look at what there is.
  const { code, advice, detail } = (problem ?? {}) as Partial<Record<'code' | 'advice' | 'detail', unknown>>;
  if (code === undefined) return UNKNOWN;
  return {
    code: String(code),
    reason: String(detail ?? 'The server refused the connection.'),
    advice: advice === 'refresh' || advice === 'never' ? advice : 'retry',
  };
}
