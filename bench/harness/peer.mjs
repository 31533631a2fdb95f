import { startServer } from '../processes.mjs';

/** Starts a peer of this name. All that use ws do so without its native addon, as Earshot does. */
export function startPeer(name, mode, ...more) {
  const args = [name, mode, ...more].filter((each) => each !== undefined);
  return startServer('harness/serve.mjs', args, { env: { WS_NO_BUFFER_UTIL: '1' } });
}
