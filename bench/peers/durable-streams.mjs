// @durable-streams/server with its store in files: the reference server of the protocol that Earshot speaks over HTTP.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPeer } from '../harness/peer.mjs';

export const title = '@durable-streams/server, files';
export const PATH = '/bench';
export const start = () => startPeer('durable-streams', 'files');

export async function serve() {
  const { DurableStreamTestServer } = await import('@durable-streams/server');
  const dataDir = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 }));
  const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1', dataDir });
  return Number(new URL(await server.start()).port);
}
