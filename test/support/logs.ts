import type { AppOptions } from '../../src/server/app.js';
import { Artifact } from './artifact.js';

/** What all servers of this process log. */
const logs = new Artifact('logs');

/**
 * The logger of a server under test: everything it could ever say, kept under artifacts/logs. After a whole run
 * `npm test` searches it for every secret that a test has used.
 */
export function traceLog() {
  return { level: 'trace', stream: { write: keepLog } } satisfies AppOptions['logger'];
}

/** Keeps what a server in a process of its own says. */
export function keepLog(text: string): void {
  logs.add(text);
}
