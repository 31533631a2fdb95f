import { Writable } from 'node:stream';
import type { Test } from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { keepLog } from '../support/logs.js';
import type { PeerOptions } from '../support/peer.js';
import type { Scene } from './scene.js';
import { scene } from './scene.js';

export interface LoggedScene extends Scene {
  /** What was logged since the last time, a line each. */
  lines(): readonly string[];
}

/** A scene whose log, all of it, can be read. */
export async function loggedScene(
  t: Test,
  options: EarshotOptions = {},
  bystander: PeerOptions = {},
): Promise<LoggedScene> {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      keepLog(String(chunk));
      done();
    },
  });
  const on = await scene(t, options, { app: { logger: { level: 'trace', stream } }, bystander });
  return { ...on, lines: () => chunks.splice(0).join('').split('\n').filter(Boolean) };
}
